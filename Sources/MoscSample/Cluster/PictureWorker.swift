import Foundation
import MoscCluster
import MoscEngine
import MoscFormats
import MoscNetworks
import MoscReport
import MoscRuntime

/// A process that draws what the first one tells it to, and writes nothing.
package final class PictureWorker {
  private let cluster: Cluster
  private let reporter: Reporter
  private let hand: WorkingHand
  /// Whether an error ends the work that it is in, and not the job.
  private let outlastsErrors: Bool
  private let keeper: ModelKeeper
  private let scratch: ScratchFolder
  private let facts = PlanFacts()
  private var compiler: (options: CompilationOptions, precision: Precision?, compiler: Compiler)?
  private var present: Present?

  package init(_ cluster: Cluster, _ reporter: Reporter, outlastsErrors: Bool = false) throws {
    self.outlastsErrors = outlastsErrors
    // A part of half of the memory: a program that is being made is not kept yet.
    keeper = ModelKeeper(limit: (ProcessFacts.memoryBytes ?? 8 << 30) / 2 / max(1, cluster.localSize))
    scratch = try ScratchFolder()
    (self.cluster, self.reporter) = (cluster, cluster.reporter(reporter))
    hand = WorkingHand(cluster)
  }

  /// A plan that is being drawn.
  private struct Present {
    var number: Int
    var plan: SamplePlan
    var sampler: Sampler
  }

  /// Draws until the first process has nothing more.
  ///
  /// - Parameter meet: takes part in what the first process asks all others to do with it.
  /// - Throws: `Verdict` when the job ends otherwise.
  package func run(_ meet: ([UInt8]) throws -> Void = PictureWorker.refuse) throws {
    while let task = try hand.next() {
      guard case .work(let number, let content) = task else {
        if case .meeting(let content) = task {
          (present, compiler) = (nil, nil)
          keeper.clear()
          try meet(content)
        }
        continue
      }
      do {
        try work(number, PictureOrder(content))
      } catch is WorkingHand.Dropped {
        continue
      } catch where outlastsErrors && !(error is any SharedEnd) {
        try hand.report(error)
      }
    }
  }

  /// What a command does that has nothing to do together.
  package static func refuse(_ content: [UInt8]) throws {
    throw CommandError.failure("rank 0 asked for something that this command does not do")
  }

  private func work(_ number: Int, _ order: PictureOrder) throws {
    if let news = order.news {
      present = nil
      let request = following(news.request)
      let precision = request.model.precision
      if compiler?.options != request.compiler || compiler?.precision != precision {
        if compiler != nil { keeper.clear() }
        compiler = (request.compiler, precision, try Compiler(request.compiler, precision: precision, reporter))
      }
      guard let compiler = compiler?.compiler else { return }
      let plan = try SamplePlan(request, keeper: keeper)
      try check(news, try facts.of(plan, compiler))
      present = Present(number: order.plan, plan: plan, sampler: try Sampler(plan, compiler, keeper: keeper))
    }
    guard let present, present.number == order.plan, order.first >= 0, order.count > 0,
      order.first + order.count <= present.plan.batches.count
    else { throw CommandError.failure("rank 0 ordered pictures of a plan that rank \(cluster.rank) does not have") }
    try draw(number, order.first..<order.first + order.count, present)
  }

  private func draw(_ number: Int, _ batches: Range<Int>, _ present: Present) throws {
    var steps = 0
    present.sampler.watch = { [hand] _ in
      steps += 1
      try hand.note(number, steps: steps)
    }
    var part = 0
    try present.sampler.draw(batches) { _, image in
      try hand.deliver(number, part: part, image.message)
      part += 1
    }
  }

  /// The request of the first process without what only that one writes.
  private func following(_ asked: SampleRequest) -> SampleRequest {
    var request = asked
    request.compiler.shows = Observation()
    request.compiler = cluster.compiling(request.compiler)
    request.preview.method = .none
    (request.trajectory, request.profiles) = (nil, false)
    // Measured or not is another program, so it is measured here, too.
    func own(_ path: String?) -> String? {
      path.map { scratch.url.appending(path: URL(fileURLWithPath: $0).lastPathComponent).path }
    }
    request.regions.report.file = own(request.regions.report.file)
    request.regions.report.map = own(request.regions.report.map)
    return request
  }

  /// - Throws: `CommandError.failure` for what would give other pictures than the first process draws.
  private func check(_ news: PictureOrder.News, _ own: RunSettings) throws {
    guard news.arguments == PictureOrder.arguments else {
      throw CommandError.usage(
        "the processes were started with different options; every one takes the same command line, and they "
          + "share the pictures")
    }
    let differences = try own.differences(from: news.facts, path: "rank 0")
    guard differences.isEmpty else {
      throw CommandError.failure(
        "on \(Cluster.host) not everything is as on rank 0: \(differences.joined(separator: "; "))")
    }
  }
}

extension PictureOrder {
  /// The command line of this process without the program.
  static var arguments: [String] { Array(CommandLine.arguments.dropFirst()) }
}
