import ArgumentParser
import MoscCluster
import MoscDriver
import MoscReport

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Say what mosc runs on, and what is missing.")

  @Option(help: ArgumentHelp("The folder of the cache of kernels and packed weights.", valueName: "folder"))
  var cacheDir: String?

  @Flag(help: "Look for MPI, and say how to start several processes here; under a launcher, what each is.")
  var mpi = false

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    let doctor = Doctor(cacheFolder: cacheDir, findsMPI: mpi)
    func report() throws { try StandardOutput.print(json ? "\(doctor.json)" : doctor.report) }
    guard mpi else {
      try perform(reporter, report)
      return try end(doctor)
    }
    try ClusterArguments.perform(ClusterOptions(), reporter) { cluster in
      if cluster?.isFirst ?? true { try report() }
      let own = Array(Doctor.place(threads: cluster?.threads ?? 0).utf8)
      for (rank, place) in try (cluster?.gather(MessageLabel(.facts), own) ?? []).enumerated() {
        try StandardOutput.print("rank \(rank): \(String(decoding: place, as: UTF8.self))")
      }
      _ = try cluster?.broadcast(MessageLabel(.facts), [])
    }
    try end(doctor)
  }

  private func end(_ doctor: Doctor) throws {
    if !doctor.problems.isEmpty { throw ExitCode(ExitStatus.failure.rawValue) }
  }
}
