import ArgumentParser
import Foundation
import MoscCluster
import MoscCommandLines
import MoscDriver
import MoscEngine
import MoscReport

/// The command line: argument parsing only; the work is in `MoscDriver`.
@main
struct Mosc: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mosc",
    abstract: "Draws pictures from text with Stable Diffusion 1.x on a CPU, teaches it concepts, fuses "
      + "them, and compiles the networks it runs.",
    version: Version.text,
    subcommands: [
      SampleCommand.self, TrainCommand.self, FuseCommand.self, EvaluateCommand.self, PretrainCommand.self,
      ServeCommand.self, RedrawCommand.self, ConvertCommand.self, InspectCommand.self, SketchCommand.self, GridCommand.self,
      UpscaleCommand.self,
      RunCommand.self, CompileCommand.self, OptCommand.self, ReduceCommand.self,
      ReplayCommand.self, FuzzCommand.self, BenchCommand.self, CacheCommand.self, DoctorCommand.self,
    ])

  static func main() {
    Interruption.listen()
    let arguments = Array(CommandLine.arguments.dropFirst())
    if let unknown = Usage.unknownCommand(arguments) { fail(.usage, unknown, arguments) }
    do {
      let line = try CommandLineTranslation(arguments)
      var command = try parseAsRoot(line.arguments)
      if !line.warnings.isEmpty {
        let isJSON = line.arguments.contains("json")
        let reporter = Reporter(verbosity: .warnings, format: isJSON ? .json : .text)
        for warning in line.warnings { reporter.warn(warning) }
      }
      try command.run()
    } catch let error as CommandError {
      // Commands report through their own reporter; what arrives here was not reported yet.
      if error.status == .closedPipe { endOfPipe() }
      fail(error.status, "\(error)", arguments)
    } catch {
      let code = exitCode(for: error)
      if code == .success {
        if speaks { write(fullMessage(for: error) + "\n", to: .standardOutput) }
        Foundation.exit(ExitStatus.success.rawValue)
      }
      if code == .validationFailure {
        fail(.usage, Usage.message(error, arguments), arguments)
      }
      if let exit = error as? ExitCode { Foundation.exit(exit.rawValue) }
      fail(.failure, "\(error)", arguments)
    }
  }

  /// Whether this process says what every one that a launcher started would say.
  private static var speaks: Bool { (Launcher(ProcessInfo.processInfo.environment)?.rank ?? 0) == 0 }

  /// Says what is wrong and ends.
  private static func fail(_ status: MoscReport.ExitStatus, _ message: String, _ arguments: [String]) -> Never {
    if !speaks { Foundation.exit(status.rawValue) }
    let isJSON = arguments.contains("--log-format=json")
      || zip(arguments, arguments.dropFirst()).contains { $0 == "--log-format" && $1 == "json" }
    report(Reporter(verbosity: .quiet, format: isJSON ? .json : .text), status, message)
    Foundation.exit(status.rawValue)
  }

  /// Reports what a command ends with, with a line of usage where that is at fault.
  static func report(_ reporter: Reporter, _ status: MoscReport.ExitStatus, _ message: String) {
    reporter.error(message)
    if status == .usage, reporter.format == .text {
      reporter.print(Usage.line(Array(CommandLine.arguments.dropFirst())))
    }
  }

  /// Ends as programs end that write to a pipe nobody reads from: in silence, by the signal.
  static func endOfPipe() -> Never {
    signal(SIGPIPE, SIG_DFL)
    raise(SIGPIPE)
    Foundation.exit(ExitStatus.closedPipe.rawValue)
  }

  private static func write(_ text: String, to handle: FileHandle) {
    try? handle.write(contentsOf: Data(text.utf8))
  }
}

/// Runs a command's work and turns what it throws into one reported sentence and an exit code.
func perform(_ reporter: Reporter, _ body: () throws -> Void) throws {
  do {
    // What a failed command did is worth seeing too.
    defer {
      do {
        try reporter.trace?.write()
      } catch {
        reporter.error(String(describing: error))
      }
    }
    try body()
  } catch {
    let status = ExitStatus(error)
    if status == .closedPipe { Mosc.endOfPipe() }
    if status != .interrupted, (error as? any SharedEnd)?.isSpeaker ?? true { Mosc.report(reporter, status, String(describing: error)) }
    throw ExitCode(status.rawValue)
  }
}
