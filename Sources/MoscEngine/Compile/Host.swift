import Foundation

/// What the operating system says about this process and machine.
package enum Host {
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
