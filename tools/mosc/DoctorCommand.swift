import ArgumentParser
import MoscDriver
import MoscReport

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Say what mosc runs on, and what is missing.")

  @Option(help: ArgumentHelp("The folder of the cache of kernels and packed weights.", valueName: "folder"))
  var cacheDir: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let doctor = Doctor(cacheFolder: cacheDir)
    try perform(try log.reporter()) { try StandardOutput.print(json ? "\(doctor.json)" : doctor.report) }
    if !doctor.problems.isEmpty { throw ExitCode(ExitStatus.failure.rawValue) }
  }
}
