import MoscEngine
import MoscReport

/// What `mosc replay compare` is asked for.
package struct ReplayRequest: Hashable, Sendable {
  /// The folder of the recording.
  package var folder: String
  /// The most differences that are shown per program.
  package var limit = 10

  package init(_ folder: String) { self.folder = folder }
}

/// `mosc replay compare`: compiles the programs of a recorded run again and shows which kernels this
/// build makes differently.
package struct ReplayJob {
  package let request: ReplayRequest
  package let reporter: Reporter

  package init(_ request: ReplayRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  /// Fails when `folder` cannot take a new recording.
  package static func checkEmpty(_ folder: String) throws {
    guard let stems = try? RecordedProgram.stems(in: folder), !stems.isEmpty else { return }
    throw CommandError.usage(
      "'\(folder)' already holds a recording of \(stems.count) programs; give another folder")
  }

  /// Prints a line per program and what differs.
  ///
  /// - Throws: `CommandError.failure` when something differs, and for folders without a recording.
  package func run() throws {
    let stems = (try? RecordedProgram.stems(in: request.folder)) ?? []
    if stems.isEmpty {
      throw CommandError.failure(
        "'\(request.folder)' holds no recording, expected files of 'mosc replay record'")
    }
    var different = 0
    for stem in stems {
      let before = try RecordedProgram(folder: request.folder, stem: stem)
      let comparison = ReplayComparison(before, try again(before, stem))
      print(comparison.summary)
      if comparison.isSame { continue }
      different += 1
      print(comparison.differences(limit: request.limit))
    }
    if different > 0 {
      throw CommandError.failure("\(different) of \(stems.count) programs differ")
    }
  }

  /// The program as this build compiles it.
  private func again(_ program: RecordedProgram, _ stem: String) throws -> RecordedProgram {
    let compiler = try Compiler(program.options, precision: program.precision, reporter)
      .within(program.budget)
    let processor = RecordedProgram.processor(of: compiler.target)
    guard processor == program.processor else {
      throw CommandError.failure(
        "\(request.folder)/\(stem).json: recorded for \(program.processor), and this is "
          + "\(processor); record with --mcpu NAME to compare between machines")
    }
    let lowered = try compiler.lower(program.source, name: program.name)
    return try RecordedProgram(program.source, lowered.kernels, name: program.name, compiler)
  }
}
