import Foundation

/// Programs that start several processes, where they are installed.
package enum MPILauncher: String, CaseIterable, Sendable {
  case openMPI = "/usr/bin/mpirun.openmpi"
  case mpich = "/usr/bin/mpirun.mpich"

  package static let absence = "there is no such launcher; tools/test installs openmpi-bin, and mpich is used where it is"

  package var isThere: Bool { FileManager.default.isExecutableFile(atPath: rawValue) }

  package static var present: [MPILauncher] { allCases.filter(\.isThere) }

  /// The command that starts so many processes, more than there are processors if need be.
  package func start(_ processes: Int) -> [String] {
    let count = ["-n", "\(processes)"]
    return self == .mpich ? count
      : ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "--mca", "btl_vader_single_copy_mechanism", "none"]
        + count
  }

  /// Runs the program in several processes to their end.
  package func run(
    _ processes: Int, _ arguments: [String], environment: [String: String] = [:]
  ) throws -> MoscProgram.Outcome {
    try MoscProgram.run(
      rawValue, start(processes) + [MoscProgram.url.path] + arguments, environment: environment)
  }
}
