import Foundation
import MoscReport
import Synchronization

/// Hands out pieces of work on request while the first process works, too, and collects what comes back.
///
/// All messages pass through a thread of its own, so that nobody waits for a step of the first process. While it
/// runs, the cluster is this thread's alone.
package final class Foreman: @unchecked Sendable {
  /// A piece of work.
  package struct Work: Sendable {
    /// What it is a part of, and what must be known once for all parts.
    package var order: Int
    /// Steps that progress counts.
    package var steps: Int
    /// Whether only the first process may do it.
    package var staysHere: Bool

    package init(order: Int, steps: Int, staysHere: Bool) {
      (self.order, self.steps, self.staysHere) = (order, steps, staysHere)
    }
  }

  /// Something that another process made.
  package struct Arrival: Sendable {
    package let work, part: Int
    /// Who made it.
    package let rank: Int
    package let content: [UInt8]
  }

  /// What another process does.
  private struct Hand {
    var work: Int?
    var orders: Set<Int> = []
    var isWaiting = false
    var heard = ContinuousClock.now
    var isWarnedOf = false
  }

  private struct State {
    var left: [Int]
    var arrivals: [Arrival] = []
    /// Steps done by piece, for progress.
    var steps: [Int]
    var finished = 0
    var failure: Failure?
    var isStopping = false
    /// Whether what is being done is of no use any more.
    var isDropping = false
    var current: [Int?]
  }

  private let cluster: Cluster
  private let works: [Work]
  private let content: @Sendable (_ work: Int, _ isKnown: Bool) throws -> [UInt8]
  private let reporter: Reporter
  private let state: Mutex<State>
  private let ended = DispatchSemaphore(value: 0)
  /// A pause between looks costs a few thousandths of a core, and nobody waits longer for work.
  private static let pause: UInt32 = 1000

  /// - Parameter content: what a process is told of a piece, which may know its order already.
  package init(
    _ cluster: Cluster, _ works: [Work], _ reporter: Reporter,
    content: @escaping @Sendable (_ work: Int, _ isKnown: Bool) throws -> [UInt8]
  ) {
    (self.cluster, self.works, self.reporter, self.content) = (cluster, works, reporter, content)
    state = Mutex(
      State(
        left: Array(works.indices), steps: [Int](repeating: 0, count: works.count),
        current: [Int?](repeating: nil, count: cluster.size)))
  }

  /// Does work here, and looks to the others meanwhile.
  package func run<Result>(_ body: () throws -> Result) rethrows -> Result {
    let thread = Thread { [self] in
      do {
        try serve()
      } catch {
        state.withLock { $0.failure = $0.failure ?? Failure(error) }
      }
      ended.signal()
    }
    thread.name = "mosc.foreman"
    thread.start()
    var isWhole = false
    defer {
      state.withLock { ($0.isStopping, $0.isDropping) = (true, !isWhole) }
      ended.wait()
    }
    let result = try body()
    isWhole = true
    return result
  }

  // MARK: The first process

  /// The next piece for this process; nil when all are taken.
  package func next() -> Int? {
    state.withLock { state in
      // Pieces that nobody else may do come first.
      let place = state.left.firstIndex { works[$0].staysHere } ?? state.left.indices.first
      let work = place.map { state.left.remove(at: $0) }
      state.current[0] = work
      return work
    }
  }

  /// Says how far this process is with its piece.
  package func note(_ work: Int, steps: Int) {
    state.withLock { $0.steps[work] = min(steps, works[work].steps) }
  }

  /// Says that this process is done with its piece.
  package func finish(_ work: Int) {
    state.withLock { state in
      state.steps[work] = works[work].steps
      state.finished += 1
      state.current[0] = nil
    }
  }

  /// What has come from others since the last call.
  ///
  /// - Throws: why another process cannot go on.
  package func take() throws -> [Arrival] {
    let (arrivals, failure) = state.withLock { state in
      defer { state.arrivals = [] }
      return (state.arrivals, state.failure)
    }
    if let failure {
      if failure.status == .interrupted { throw CommandError.interrupted }
      throw CommandError(failure.status, failure.message)
    }
    return arrivals
  }

  /// How far the pieces are, all and by process; nil for one that waits.
  package struct Progress: Hashable, Sendable {
    package var done = 0, total = 0
    package var isFinished = false
    /// Steps of each process's present piece.
    package var byRank: [Int?] = []
  }

  package var progress: Progress {
    state.withLock { state in
      Progress(
        done: state.steps.reduce(0, +), total: works.reduce(0) { $0 + $1.steps },
        isFinished: state.finished == works.count, byRank: state.current.map { $0.map { state.steps[$0] } })
    }
  }

  // MARK: The others

  private func serve() throws {
    var hands = [Hand](repeating: Hand(), count: cluster.size)
    for rank in cluster.idle { hands[rank].isWaiting = true }
    defer { cluster.idle = Set(hands.indices.filter { hands[$0].isWaiting }) }
    while !state.withLock({ $0.isStopping }) {
      for rank in 1..<cluster.size {
        while let message = try cluster.poll(from: rank) { try take(message, from: rank, &hands[rank]) }
        if hands[rank].isWaiting { try handOut(to: rank, &hands[rank]) }
        try watch(rank, &hands[rank])
      }
      usleep(Self.pause)
    }
    if state.withLock({ $0.isDropping }) { try drop(&hands) }
    try cluster.flush()
  }

  /// Tells all that their work is of no use any more, and waits until they have heard.
  private func drop(_ hands: inout [Hand]) throws {
    for rank in hands.indices {
      if let work = hands[rank].work { try cluster.send(MessageLabel(.verdict, work), [], to: rank) }
    }
    let begin = ContinuousClock.now
    while hands.contains(where: { $0.work != nil }), (ContinuousClock.now - begin).seconds < Self.hearing {
      for rank in 1..<cluster.size {
        while let message = try cluster.poll(from: rank) { try take(message, from: rank, &hands[rank]) }
      }
      usleep(Self.pause)
    }
  }

  /// Seconds in which others must hear that their work is not wanted; who has not is ended with the job.
  private static let hearing = 10.0

  private func take(_ message: (label: MessageLabel, content: [UInt8]), from rank: Int, _ hand: inout Hand) throws {
    (hand.heard, hand.isWarnedOf) = (.now, false)
    let (number, part) = (message.label.number, message.label.part)
    switch message.label.kind {
    case .request:
      if let work = hand.work {
        state.withLock { state in
          state.steps[work] = works[work].steps
          state.finished += 1
        }
      }
      (hand.work, hand.isWaiting) = (nil, true)
      state.withLock { $0.current[rank] = nil }
    case .progress where works.indices.contains(number):
      state.withLock { $0.steps[number] = min(max(0, part), works[number].steps) }
    case .picture where works.indices.contains(number):
      state.withLock { $0.arrivals.append(Arrival(work: number, part: part, rank: rank, content: message.content)) }
    case .failure:
      let text = String(decoding: message.content, as: UTF8.self)
      let failure = Failure(text) ?? Failure(.failure, text)
      hand.work = nil
      state.withLock { $0.failure = $0.failure ?? failure.saidBy(rank) }
    default:
      throw CommandError.failure("rank \(rank) sent \(message.label), expected what a piece of work gave")
    }
  }

  private func handOut(to rank: Int, _ hand: inout Hand) throws {
    let work = state.withLock { state -> Int? in
      guard let place = state.left.firstIndex(where: { !works[$0].staysHere }) else { return nil }
      let work = state.left.remove(at: place)
      state.current[rank] = work
      return work
    }
    guard let work else { return }
    let isKnown = !hand.orders.insert(works[work].order).inserted
    (hand.work, hand.isWaiting, hand.heard) = (work, false, .now)
    try cluster.send(MessageLabel(.work, work), try content(work, isKnown), to: rank)
  }

  /// Looks whether a process that has work is still there.
  private func watch(_ rank: Int, _ hand: inout Hand) throws {
    guard let work = hand.work else { return }
    let silence = (ContinuousClock.now - hand.heard).seconds
    if silence > cluster.patience.limit {
      throw CommandError.failure(
        "rank \(rank) has said nothing for \(Int(silence)) s (piece \(work + 1) of \(works.count)): given up, see "
          + "--mpi-timeout")
    }
    if silence > cluster.patience.warning, !hand.isWarnedOf {
      hand.isWarnedOf = true
      reporter.warn(
        "rank \(rank) has said nothing for \(Int(silence)) s (piece \(work + 1) of \(works.count))",
        kind: "late \(rank) \(work)")
    }
  }
}
