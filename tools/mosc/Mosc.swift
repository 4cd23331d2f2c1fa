import ArgumentParser
import Foundation
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
      SampleCommand.self, TrainCommand.self, FuseCommand.self, PretrainCommand.self,
      ConvertCommand.self, InspectCommand.self, SketchCommand.self, GridCommand.self,
      RunCommand.self, CompileCommand.self, OptCommand.self, ReduceCommand.self,
      ReplayCommand.self, FuzzCommand.self, BenchCommand.self, DoctorCommand.self,
    ])

  static func main() {
    Interruption.listen()
    do {
      let line = try CommandLineTranslation(Array(CommandLine.arguments.dropFirst()))
      var command = try parseAsRoot(line.arguments)
      if !line.warnings.isEmpty {
        let isJSON = line.arguments.contains("json")
        let reporter = Reporter(verbosity: .quiet, format: isJSON ? .json : .text)
        for warning in line.warnings { reporter.warn(warning) }
      }
      try command.run()
    } catch let error as CommandError {
      // Commands report through their own reporter; what arrives here was not reported yet.
      write("error: \(error)\n", to: .standardError)
      Foundation.exit(error.status.rawValue)
    } catch {
      let code = exitCode(for: error)
      if code == .success {
        write(fullMessage(for: error) + "\n", to: .standardOutput)
        Foundation.exit(ExitStatus.success.rawValue)
      }
      if code == .validationFailure {
        write(fullMessage(for: error) + "\n", to: .standardError)
        Foundation.exit(ExitStatus.usage.rawValue)
      }
      if let exit = error as? ExitCode { Foundation.exit(exit.rawValue) }
      write("error: \(error)\n", to: .standardError)
      Foundation.exit(ExitStatus.failure.rawValue)
    }
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
    if status != .interrupted { reporter.error(String(describing: error)) }
    throw ExitCode(status.rawValue)
  }
}
