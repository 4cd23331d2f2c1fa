import Foundation
import TestSupport

/// A launcher with its processes, while they run.
final class RunningJob {
  private let process = Process()
  private let folder = Scratch()
  private var log: URL { folder.url.appending(path: "log") }

  init(_ launcher: MPILauncher, _ processes: Int, _ arguments: [String]) throws {
    process.executableURL = URL(fileURLWithPath: launcher.rawValue)
    process.arguments = launcher.start(processes) + [MoscProgram.url.path] + arguments
    try Data().write(to: log)
    let handle = try FileHandle(forWritingTo: log)
    process.standardError = handle
    process.standardOutput = handle
    process.standardInput = FileHandle.nullDevice
    try process.run()
  }

  deinit { if process.isRunning { process.terminate() } }

  var messages: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

  /// Waits until messages hold a text, or a minute is over; whether they do.
  func waits(for text: String) -> Bool {
    for _ in 0..<1200 {
      if messages.contains(text) { return true }
      if !process.isRunning { return messages.contains(text) }
      usleep(50_000)
    }
    return false
  }

  /// The number of the process of a rank; nil when it is not found.
  func process(ofRank rank: Int) -> Int32? {
    let numbers = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
    return numbers.first { number in
      guard let environment = try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(number)/environ")),
        let command = try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(number)/cmdline")),
        command.starts(with: Array("\(MoscProgram.url.path)\0".utf8))
      else { return false }
      let variables = environment.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      let isOwn = command.range(of: Data(folderOfOutput.utf8)) != nil
      return isOwn && ["OMPI_COMM_WORLD_RANK=\(rank)", "PMI_RANK=\(rank)"].contains(where: variables.contains)
    }
  }

  /// A part of the command line that no other job has.
  var folderOfOutput = ""

  /// Waits for the end; the status, -1 for a signal.
  func end() -> Int32 {
    process.waitUntilExit()
    return process.terminationReason == .exit ? process.terminationStatus : -1
  }

  /// Processor seconds that a process has used.
  static func processorSeconds(_ number: Int32) -> Double? {
    guard let text = try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8),
      let end = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[end...].split(separator: " ")
    guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else { return nil }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }
}
