import Foundation
import MoscCluster
import MoscEngine
import MoscImages
import MoscNetworks
import MoscReport

/// The first process of several that draw pictures: it hands batches out, draws some itself, and gets all pictures.
///
/// A batch is never cut, as what is drawn together may share the last bits. One thread at a time may use it.
package final class PictureTeam: @unchecked Sendable {
  private let cluster: Cluster
  private let facts = PlanFacts()
  /// Plans that were drawn before, whose numbers others may remember.
  private var drawn = 0

  package init(_ cluster: Cluster) { self.cluster = cluster }

  /// What becomes of pictures, all on the thread that draws.
  package struct Receiver {
    /// Sees every batch that is drawn here, before it is decoded.
    package var observe: (_ plan: Int, Denoising.Run) throws -> Void = { _, _ in }
    /// Gets every picture, in any order.
    package var receive: (_ plan: Int, SamplePlan.Picture, PixelImage) throws -> Void
    /// Called when nothing more of a plan is drawn here.
    package var end: (_ plan: Int, Sampler) throws -> Void = { _, _ in }

    package init(_ receive: @escaping (_ plan: Int, SamplePlan.Picture, PixelImage) throws -> Void) {
      self.receive = receive
    }
  }

  /// Batches of a plan that one process draws.
  private struct Share {
    var plan: Int
    var batches: Range<Int>
  }

  /// Draws the pictures of plans.
  ///
  /// - Parameters:
  ///   - making: the compiler of a plan.
  /// - Throws: why a process cannot go on; a usage error for what one process alone can tell.
  package func draw(
    _ plans: [SamplePlan], _ reporter: Reporter, keeper: ModelKeeper? = nil,
    making compiler: (SamplePlan) throws -> Compiler, _ receiver: Receiver
  ) throws {
    if plans.contains(where: \.request.profiles) {
      throw CommandError.usage("--profile measures one process; leave it out, or start one")
    }
    let shares = shares(plans)
    let pictures = plans.reduce(0) { $0 + $1.count }
    if shares.count < cluster.size {
      reporter.warn(
        "\(shares.count == 1 ? "one batch" : "\(shares.count) batches") for \(cluster.size) processes, so "
          + "\(cluster.size - shares.count) of them idle")
    }
    var news: [PictureOrder.News] = []
    for plan in plans {
      let facts = try facts.of(plan, compiler(plan))
      news.append(PictureOrder.News(request: plan.asked, facts: facts.text, arguments: PictureOrder.arguments))
    }
    let first = drawn
    drawn += plans.count
    let foreman = Foreman(
      cluster,
      shares.map { share in
        let plan = plans[share.plan]
        let isFirsts = share.batches.contains(0) && (plan.trajectory != nil || plan.request.regions.report.isWanted)
        return Foreman.Work(
          order: first + share.plan, steps: plan.calls * share.batches.count, staysHere: isFirsts)
      }, reporter
    ) { [shares, news] work, isKnown in
      let share = shares[work]
      return try PictureOrder(
        plan: first + share.plan, first: share.batches.lowerBound, count: share.batches.count,
        news: isKnown ? nil : news[share.plan]
      ).bytes
    }
    let what = "\(pictures == 1 ? "a picture" : "\(pictures) pictures") by \(cluster.size) processes"
    reporter.begin(.step, what)
    try foreman.run {
      let work = Drawing(plans, shares, foreman, reporter, keeper, what, receiver, cluster.size)
      try work.draw(making: compiler)
      reporter.info("pictures by process: \(work.drawn.map(String.init).joined(separator: ", "))")
    }
    reporter.end(.step, what)
  }

  /// What is handed out at a time: a batch; of plans with a second pass, for which the networks change, a part for
  /// each process.
  private func shares(_ plans: [SamplePlan]) -> [Share] {
    plans.enumerated().flatMap { index, plan in
      let count = plan.batches.count
      let size = plan.request.hires.isOn ? (count + cluster.size - 1) / cluster.size : 1
      return stride(from: 0, to: count, by: max(1, size)).map {
        Share(plan: index, batches: $0..<min($0 + size, count))
      }
    }
  }

  /// Draws the pictures of plans, in order.
  package func pictures(_ plans: [SamplePlan], _ compiler: Compiler, keeper: ModelKeeper) throws -> [PixelImage] {
    var images = plans.map { [PixelImage?](repeating: nil, count: $0.count) }
    try draw(
      plans, compiler.reporter, keeper: keeper, making: { _ in compiler },
      Receiver { images[$0][$1.number - 1] = $2 })
    return images.joined().compactMap { $0 }
  }

  /// The options of a compiler with this process's share of the machine.
  package func compiling(_ options: CompilationOptions) -> CompilationOptions { cluster.compiling(options) }

  /// What the first process does while the others draw.
  private final class Drawing {
    private let plans: [SamplePlan]
    private let shares: [Share]
    private let foreman: Foreman
    private let reporter: Reporter
    private let keeper: ModelKeeper?
    private let what: String
    private let receiver: Receiver
    private var present: (plan: Int, sampler: Sampler)?
    /// Pictures by who drew them.
    private(set) var drawn: [Int]
    /// Steps that were told of.
    private var told = 0

    init(
      _ plans: [SamplePlan], _ shares: [Share], _ foreman: Foreman, _ reporter: Reporter, _ keeper: ModelKeeper?,
      _ what: String, _ receiver: Receiver, _ size: Int
    ) {
      drawn = [Int](repeating: 0, count: size)
      (self.plans, self.shares, self.foreman, self.reporter) = (plans, shares, foreman, reporter)
      (self.keeper, self.what, self.receiver) = (keeper, what, receiver)
    }

    func draw(making compiler: (SamplePlan) throws -> Compiler) throws {
      while let number = foreman.next() {
        let share = shares[number]
        let plan = plans[share.plan]
        if present?.plan != share.plan {
          try end()
          // Of what this process does the line of all tells.
          let quiet = try compiler(plan).reporting(to: reporter.quieter)
          present = (share.plan, try Sampler(plan, quiet, keeper: keeper))
        }
        guard let sampler = present?.sampler else { continue }
        var steps = 0
        sampler.watch = { [self] _ in
          steps += 1
          foreman.note(number, steps: steps)
          try collect()
        }
        try sampler.draw(share.batches, observing: { try receiver.observe(share.plan, $0) }) { picture, image in
          drawn[0] += 1
          try receiver.receive(share.plan, picture, image)
        }
        foreman.finish(number)
        try collect()
      }
      try end()
      while !foreman.progress.isFinished {
        try Interruption.check()
        try collect()
        usleep(2000)
      }
      try collect()
    }

    private func end() throws {
      if let present { try receiver.end(present.plan, present.sampler) }
      present = nil
    }

    /// Takes what has come from others, and says how far all are.
    private func collect() throws {
      for arrival in try foreman.take() {
        let share = shares[arrival.work]
        let pictures = plans[share.plan].batches[share.batches].joined()
        guard let picture = pictures.dropFirst(arrival.part).first else {
          throw CommandError.failure("a process drew more pictures than it was told to")
        }
        drawn[arrival.rank] += 1
        try receiver.receive(share.plan, picture, try PixelImage(message: arrival.content))
      }
      let progress = foreman.progress
      guard progress.done > told else { return }
      told = progress.done
      let places = progress.byRank.map { $0.map { "\($0)" } ?? "-" }.joined(separator: " ")
      reporter.progress(.step, "\(what) (at \(places))", done: progress.done, of: progress.total)
    }
  }
}

extension RegionReportOptions {
  /// Whether anything is told.
  var isWanted: Bool { file != nil || map != nil || isKept }
}
