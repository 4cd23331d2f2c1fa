import CMPI
import Foundation
import MoscReport
import MoscRuntime

/// How a process becomes one of a cluster.
package struct ClusterOptions: Hashable, Sendable {
  /// Whether MPI is asked for even where no launcher is found.
  package var isForced = false
  package var patience = Patience()

  package init() {}

  /// Joins the processes that a launcher started; nil for a process on its own.
  ///
  /// No MPI library is looked for unless the environment names a launcher or it is asked for.
  /// - Throws: `CommandError` when the launcher speaks of several processes and the library of one.
  package func join(
    _ reporter: Reporter, _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> Cluster? {
    let launcher = Launcher(environment)
    guard launcher != nil || isForced else { return nil }
    var problems: [String] = []
    let names = Launcher.libraries(for: launcher?.kind, environment)
    let isLoaded = names.contains { name in
      guard let problem = mosc_mpi_load(name) else { return true }
      problems.append(String(cString: problem))
      return false
    }
    guard isLoaded else {
      let count = launcher?.size ?? 1
      guard isForced || count > 1 else { return nil }
      let start = launcher.map { "\($0.kind.rawValue) started \(count) processes, but" } ?? "--mpi:"
      throw Verdict(
        .failure, isSpeaker: (launcher?.rank ?? 0) == 0,
        "\(start) no MPI library could be loaded: \(problems.joined(separator: "; ")). Install openmpi-bin or "
          + "mpich, or name a library in MOSC_MPI_LIBRARY")
    }
    let transport = try MPITransport()
    if let launcher, let count = launcher.size, count > 1, transport.size == 1 {
      // Each process believes that it is the only one; one of them speaks.
      let isSpeaker = (launcher.rank ?? 0) == 0
      let command = Launcher.command(MPITransport.kind, processes: count)
      throw Verdict(
        .usage, isSpeaker: isSpeaker,
        "\(launcher.kind.rawValue) started \(count) processes, but \(transport.library) knows of one: launcher "
          + "and library do not belong together; start with '\(command)', or name the launcher's library in "
          + "MOSC_MPI_LIBRARY")
    }
    guard transport.size > 1 || isForced else {
      transport.end()
      return nil
    }
    let cluster = Cluster(transport, patience, reporter)
    cluster.localSize = launcher?.localSize ?? transport.size
    cluster.threads = Self.threads(cluster.localSize)
    if cluster.isFirst {
      reporter.info(
        "\(cluster.size) processes by \(transport.library), \(cluster.threads) threads each")
      if Self.isBound, let local = launcher?.localSize, ProcessFacts.physicalCoreCount * local < Self.cores {
        reporter.warn(
          "each process may use \(ProcessFacts.physicalCoreCount) of \(Self.cores) processors; mpirun's --bind-to none "
            + "gives them all")
      }
    }
    return cluster
  }

  /// Processors that are switched on.
  private static var cores: Int { ProcessInfo.processInfo.activeProcessorCount }

  /// Whether this process may use only some of them.
  private static var isBound: Bool { ProcessFacts.processorCount < sysconf(Int32(_SC_NPROCESSORS_ONLN)) }

  /// The cores of a process among others on its machine: its own where it is bound to some, else its share.
  private static func threads(_ local: Int) -> Int {
    let cores = ProcessFacts.physicalCoreCount
    return isBound ? cores : max(1, cores / max(1, local))
  }
}
