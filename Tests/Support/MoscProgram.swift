import Foundation

/// The built `mosc`, run as a user runs it.
package enum MoscProgram {
  package struct Outcome {
    package var status: Int32
    package var output: String
    package var errors: String
    /// The number of the process, which has ended.
    package var process: Int32
  }

  /// The program beside the test bundle.
  package static var url: URL {
    var folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    while folder.path != "/" {
      let candidate = folder.appendingPathComponent("mosc")
      var isDirectory: ObjCBool = false
      if FileManager.default.fileExists(atPath: candidate.path, isDirectory: &isDirectory),
        !isDirectory.boolValue
      {
        return candidate
      }
      folder.deleteLastPathComponent()
    }
    return URL(fileURLWithPath: "mosc")
  }

  /// Runs it to its end.
  package static func run(_ arguments: String..., input: String? = nil) throws -> Outcome {
    try run(arguments, input: input)
  }

  /// - Parameters:
  ///   - folder: the working folder.
  ///   - environment: variables besides those of the tests.
  package static func run(
    _ arguments: [String], input: String? = nil, in folder: Scratch? = nil,
    environment: [String: String] = [:]
  ) throws -> Outcome {
    try run(url.path, arguments, input: input, in: folder, environment: environment)
  }

  /// Runs another program in the same way.
  package static func run(
    _ program: String, _ arguments: [String], input: String? = nil, in workingFolder: Scratch? = nil,
    environment: [String: String] = [:]
  ) throws -> Outcome {
    let process = Process()
    if let workingFolder { process.currentDirectoryURL = workingFolder.url }
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let folder = Scratch()
    let output = folder.url.appendingPathComponent("stdout")
    let errors = folder.url.appendingPathComponent("stderr")
    let standardInput = folder.url.appendingPathComponent("stdin")
    try Data((input ?? "").utf8).write(to: standardInput)
    // Files instead of pipes: nothing can block however much is printed.
    for file in [output, errors] { try Data().write(to: file) }
    process.standardInput = try FileHandle(forReadingFrom: standardInput)
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationReason == .exit ? process.terminationStatus : -1,
      output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
      errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self),
      process: process.processIdentifier)
  }
}

extension MoscProgram {
  /// Starts the program, presses Ctrl-C (or sends another signal) once its messages hold a text, and
  /// returns its status.
  package static func interrupt(
    _ arguments: [String], when text: String, signal: Int32 = SIGINT
  ) throws -> Int32 {
    let process = Process()
    process.executableURL = url
    process.arguments = arguments
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    var messages = ""
    var isInterrupted = false
    while true {
      let data = pipe.fileHandleForReading.availableData
      if data.isEmpty { break }
      messages += String(decoding: data, as: UTF8.self)
      if !isInterrupted, messages.contains(text) {
        isInterrupted = true
        kill(process.processIdentifier, signal)
      }
    }
    process.waitUntilExit()
    return process.terminationReason == .exit ? process.terminationStatus : -1
  }
}
