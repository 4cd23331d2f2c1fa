import Foundation
import MoscRuntime

/// What the operating system says about this process and machine.
package enum Host {
  /// The number of threads when the user gives none: the physical cores this process may use.
  ///
  /// Hyper-threads share the vector units, so more threads than cores gain nothing.
  package static var defaultThreads: Int {
    let logical = ProcessFacts.processorCount
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else {
      return logical
    }
    var cores = Set<String>()
    var package = ""
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { continue }
      let value = parts[1].trimmingCharacters(in: .whitespaces)
      switch parts[0].trimmingCharacters(in: .whitespaces) {
      case "physical id": package = value
      case "core id": cores.insert("\(package)/\(value)")
      default: break
      }
    }
    return cores.isEmpty ? logical : min(cores.count, logical)
  }

  /// Seconds since the process was started (kernel clock, 10 ms).
  package static var secondsSinceStart: Double {
    guard let stat = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
      let up = try? String(contentsOfFile: "/proc/uptime", encoding: .utf8),
      let close = stat.lastIndex(of: ")"),
      let uptime = up.split(separator: " ").first.flatMap({ Double($0) })
    else { return 0 }
    let fields = stat[stat.index(after: close)...].split(separator: " ")
    guard fields.count > 19, let ticks = Double(fields[19]) else { return 0 }
    return uptime - ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// The processor time this process used so far, all threads together, in seconds.
  package static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
  }

  /// The folder of the kernel cache: `MOSC_CACHE`, or the user's cache folder.
  package static var defaultCacheFolder: String {
    let environment = ProcessInfo.processInfo.environment
    if let folder = environment["MOSC_CACHE"], !folder.isEmpty { return folder }
    if let folder = environment["XDG_CACHE_HOME"], !folder.isEmpty { return folder + "/mosc" }
    if let home = environment["HOME"], !home.isEmpty { return home + "/.cache/mosc" }
    return NSTemporaryDirectory() + "mosc-cache"
  }
}
