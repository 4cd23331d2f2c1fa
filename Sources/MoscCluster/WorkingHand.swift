import Foundation
import MoscReport

/// A process that takes work from the first one.
package final class WorkingHand {
  private let cluster: Cluster
  private var told = ContinuousClock.now
  /// Seconds between two messages of progress.
  private static let interval = 0.2

  package init(_ cluster: Cluster) { self.cluster = cluster }

  /// The piece of work is not wanted any more.
  package struct Dropped: Error {}

  /// Something that the first process asks for.
  package enum Task {
    /// A piece of work.
    case work(number: Int, content: [UInt8])
    /// To do something together with all others.
    case meeting(content: [UInt8])
  }

  /// Whether the first process knows that this one has nothing to do.
  private var hasAsked = false

  /// Asks for work; nil at the end.
  ///
  /// - Throws: `Verdict` when the job ends otherwise.
  package func next() throws -> Task? {
    if !hasAsked { try cluster.send(MessageLabel(.request), [], to: 0) }
    hasAsked = true
    while true {
      // The first process may have much to do that is nobody else's.
      guard let message = try cluster.receiveAny(from: 0, isPatient: true) else { continue }
      switch message.label.kind {
      case .work:
        hasAsked = false
        return .work(number: message.label.number, content: message.content)
      // It came too late.
      case .verdict: continue
      case .factors: return .meeting(content: message.content)
      case .end:
        try end(message.label)
        return nil
      default: throw CommandError.failure("rank 0 sent \(message.label), expected work")
      }
    }
  }

  /// Sends what a piece of work gave.
  package func deliver(_ work: Int, part: Int, _ content: [UInt8]) throws {
    try cluster.send(MessageLabel(.picture, work, part: part), content, to: 0)
  }

  /// Says how far a piece of work is, and hears whether the job has ended.
  package func note(_ work: Int, steps: Int) throws {
    let now = ContinuousClock.now
    if (now - told).seconds > Self.interval {
      told = now
      try cluster.send(MessageLabel(.progress, work, part: steps), [], to: 0)
    }
    while let message = try cluster.poll(from: 0) {
      if message.label.kind == .end { try end(message.label) }
      if message.label.kind == .verdict, message.label.number == work { throw Dropped() }
    }
  }

  /// Tells the first process why a piece of work was not done.
  package func report(_ error: any Error) throws {
    try cluster.send(MessageLabel(.failure), Array(Failure(error).text.utf8), to: 0)
  }

  private func end(_ label: MessageLabel) throws {
    let status = ExitStatus(rawValue: Int32(clamping: label.number)) ?? .failure
    guard status == .success else { throw Verdict(status, isSpeaker: false, "rank 0 has ended") }
    try cluster.answer(status)
  }
}

extension Cluster {
  /// Asks all others, which have nothing to do, to take part in something.
  package func summon(_ content: [UInt8]) throws {
    for rank in 1..<max(1, size) {
      if !idle.contains(rank) { _ = try receive(MessageLabel(.request), from: rank) }
      idle.insert(rank)
      try send(MessageLabel(.factors), content, to: rank)
    }
    try flush()
  }
}
