import ArgumentParser
import MoscCluster
import MoscReport
import MoscSample

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

  /// Does a command's work in the first process of its job, while the others draw what it tells them to.
  func draw(_ reporter: Reporter, _ body: (PictureTeam?) throws -> Void) throws {
    try lead(reporter, { try PictureWorker($0, reporter).run() }) { try body($0.map(PictureTeam.init)) }
  }

  /// Does a command's work in the first process of its job, and in the others what that one asks for.
  func lead(
    _ reporter: Reporter, _ follow: (Cluster) throws -> Void, _ body: (Cluster?) throws -> Void
  ) throws {
    try perform(reporter) { cluster in
      guard let cluster else { return try body(nil) }
      guard cluster.isFirst else { return try follow(cluster) }
      try body(cluster)
      guard try cluster.dismiss(.success) else {
        throw CommandError.failure("everything is done, but some processes do not answer any more")
      }
    }
  }

  /// Does a command's work with the processes of its job, and ends them together.
  func perform(_ reporter: Reporter, _ body: (Cluster?) throws -> Void) throws {
    var options = ClusterOptions()
    options.isForced = mpi
    options.patience.limit = mpiTimeout * 60
    options.patience.warning = min(options.patience.warning, options.patience.limit)
    try Self.perform(options, reporter, body)
  }

  /// The same with options of another kind.
  static func perform(_ options: ClusterOptions, _ reporter: Reporter, _ body: (Cluster?) throws -> Void) throws {
    // A process that fails alone must not leave the others waiting, once it has said why.
    var left: (cluster: Cluster, status: MoscReport.ExitStatus)?
    defer { left.map { $0.cluster.abort($0.status) } }
    try mosc.perform(reporter) {
      guard let cluster = try options.join(reporter) else { return try body(nil) }
      do {
        try body(cluster)
        try cluster.end()
      } catch {
        let end = cluster.leave(after: error)
        if end.mustAbort { left = (cluster, ExitStatus(end.error)) }
        throw end.error
      }
    }
  }
}
