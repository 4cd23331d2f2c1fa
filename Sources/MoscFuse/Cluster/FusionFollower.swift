import Foundation
import MoscCluster
import MoscEngine
import MoscNetworks
import MoscReport
import MoscSample

/// A process that takes part in the fusions of the first one, and writes nothing that stays.
package struct FusionFollower {
  private let request: FuseRequest
  private let reporter: Reporter
  private let cluster: Cluster

  package init(_ request: FuseRequest, _ reporter: Reporter, _ cluster: Cluster) {
    (self.request, self.reporter, self.cluster) = (request, cluster.reporter(reporter), cluster)
  }

  /// Does what the first process asks for until it has nothing more.
  package func run() throws {
    try PictureWorker(cluster, reporter).run { try fuse(SharedConcepts($0)) }
  }

  private func fuse(_ shared: SharedConcepts) throws {
    try LinearAlgebra.load()
    let scratch = try ScratchFolder()
    let base = try ModelComponents.open(request.model.path, vae: request.model.vae)
    try ModelComponents.verify(base)
    let concepts = try shared.concepts(in: scratch.url.appending(path: "concepts"))
    let plan = try FusionPlan(
      request, base, scratch: scratch.url.appending(path: "statistics").path, given: concepts)
    let compiler = try Compiler(
      cluster.compiling(request.compiler), precision: request.model.precision, reporter)
    let run = FusionRun(plan, compiler, request, cluster)
    var report = FusionReport()
    // The folder goes with its last user, and files in it are opened until the end.
    try withExtendedLifetime(scratch) {
      _ = request.matchesMixOfShow ? try run.chained(&report) : try run.independent(&report)
    }
  }
}
