import ArgumentParser
import MoscCluster
import MoscReport

/// Several processes that share the work.
struct ClusterArguments: ParsableArguments {
  @Flag(help: "Look for MPI even where no launcher (mpirun, srun) is found.")
  var mpi = false

  @Option(help: ArgumentHelp(
    "Minutes to wait for another process before the job is ended.", valueName: "minutes"))
  var mpiTimeout = Patience().limit / 60

  func validate() throws {
    guard mpiTimeout > 0, mpiTimeout.isFinite else {
      throw ValidationError("--mpi-timeout \(mpiTimeout): expected minutes, more than 0")
    }
  }

  /// Does a command's work with the processes of its job, and ends them together.
  func perform(_ reporter: Reporter, _ body: (Cluster?) throws -> Void) throws {
    var options = ClusterOptions()
    options.isForced = mpi
    options.patience.limit = mpiTimeout * 60
    options.patience.warning = min(options.patience.warning, options.patience.limit)
    // A process that fails alone must not leave the others waiting, once it has said why.
    var left: Cluster?
    defer { left?.abort(.failure) }
    try mosc.perform(reporter) {
      guard let cluster = try options.join(reporter) else { return try body(nil) }
      do {
        try body(cluster)
        try cluster.end()
      } catch {
        if !cluster.leave(after: error) { left = cluster }
        throw error
      }
    }
  }
}
