import CRelax
import Foundation

/// What the system says of this process and machine.
package enum ProcessFacts {
  /// The largest resident set of this process so far, in bytes.
  package static var peakResidentBytes: Int {
    status("VmHWM:") ?? 0
  }

  /// The present resident set in bytes.
  package static var residentBytes: Int {
    status("VmRSS:") ?? 0
  }

  /// The present anonymous part of the resident set in bytes.
  package static var anonymousBytes: Int {
    status("RssAnon:") ?? 0
  }

  /// The bytes that all processes together may have in memory, on disk too where there is swap; nil if the
  /// system does not say.
  package static var memoryBytes: Int? {
    let path = "/proc/meminfo"
    guard let total = kilobytes("MemTotal:", path) else { return nil }
    let all = (total + (kilobytes("SwapTotal:", path) ?? 0)) * 1024
    // A container may have less.
    let group = (try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8)) ?? ""
    return min(all, Int(group.filter { !$0.isWhitespace }) ?? all)
  }

  /// The number of processors this process may use.
  package static var processorCount: Int {
    max(1, Int(usable_processors()))
  }

  /// The number of physical cores behind these processors: hyper-threads share vector units, so
  /// that more threads than cores gain nothing.
  package static var physicalCoreCount: Int {
    var cores = Set<String>()
    var processors = 0
    for index in 0..<Int(processor_limit()) where is_processor_usable(Int32(index)) != 0 {
      processors += 1
      let path = "/sys/devices/system/cpu/cpu\(index)/topology/thread_siblings_list"
      let siblings = try? String(contentsOfFile: path, encoding: .utf8)
      cores.insert(siblings ?? "\(index)")
    }
    return processors == 0 ? processorCount : cores.count
  }

  private static func status(_ key: String) -> Int? {
    kilobytes(key, "/proc/self/status").map { $0 * 1024 }
  }

  /// The number behind a word at the beginning of a line.
  private static func kilobytes(_ key: String, _ path: String) -> Int? {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix(key) }),
      let field = line.split(whereSeparator: \.isWhitespace).dropFirst().first,
      let kilobytes = Int(field)
    else { return nil }
    return kilobytes
  }
}
