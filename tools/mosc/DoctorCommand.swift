import ArgumentParser
import MoscDriver
import MoscReport

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Say what mosc runs on, and what is missing.")

  @Option(help: ArgumentHelp("The folder of the cache of kernels and packed weights.", valueName: "folder"))
  var cacheDir: String?

  func run() throws {
    let doctor = Doctor(cacheFolder: cacheDir)
    print(doctor.report)
    if !doctor.problems.isEmpty { throw ExitCode(ExitStatus.failure.rawValue) }
  }
}
