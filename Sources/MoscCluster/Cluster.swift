import Foundation
import MoscReport

/// The processes of a job, as one of them sees it.
///
/// Every operation is called by all of them in the same order; what they send is labelled, so that those which
/// went different ways find out.
package final class Cluster {
  package let rank: Int
  package let size: Int
  /// The threads that this process should use.
  package internal(set) var threads = 1
  private let transport: any Transport
  private let waiter: Waiter
  /// Messages that are on their way while others are waited for.
  private var leaving: [Sending] = []

  package init(_ transport: any Transport, _ patience: Patience, _ reporter: Reporter) {
    (rank, size) = (transport.rank, transport.size)
    self.transport = transport
    waiter = Waiter(patience, reporter)
  }

  /// Whether this process writes files and messages.
  package var isFirst: Bool { rank == 0 }

  /// The owner of one of several parts: they go round.
  package func owner(_ part: Int) -> Int { part % size }

  // MARK: One to one

  /// Starts to send; the message is on its way when this returns.
  package func send(_ label: MessageLabel, _ content: [UInt8], to rank: Int) throws {
    leaving = try leaving.filter { try !$0.advance() }
    leaving.append(try Sending(label, content, to: rank, transport))
  }

  /// Waits until every message is sent.
  package func flush() throws {
    try waiter.wait(leaving, "sending")
    leaving = []
  }

  /// Waits for a message.
  package func receive(_ label: MessageLabel, from rank: Int) throws -> [UInt8] {
    let receiving = try Receiving(label, from: rank, transport)
    try waiter.wait([receiving], label.description)
    return receiving.message?.content ?? []
  }

  /// The next message of a rank, if it has begun to come.
  package func poll(from rank: Int) throws -> (label: MessageLabel, content: [UInt8])? {
    guard try transport.hasMessage(from: rank, tag: Sending.tag) else { return nil }
    let receiving = try Receiving(nil, from: rank, transport)
    try waiter.wait([receiving], "a message")
    return receiving.message
  }

  // MARK: All together

  /// What an exchange is made of: whose it is, and what it is about.
  package struct Part: Hashable, Sendable {
    package var label: MessageLabel
    package var owner: Int

    package init(_ label: MessageLabel, owner: Int) { (self.label, self.owner) = (label, owner) }
  }

  /// Gives every process what each has.
  ///
  /// - Parameters:
  ///   - parts: all of them, the same in every process.
  ///   - own: the contents of those that are this process's, in their order.
  /// - Returns: the contents of all parts, in their order.
  package func exchange(_ parts: [Part], _ own: [[UInt8]]) throws -> [[UInt8]] {
    var rest = own[...]
    var contents: [Int: [UInt8]] = [:]
    for (index, part) in parts.enumerated() where part.owner == rank { contents[index] = rest.popFirst() }
    // A rank after the other, each begins with its neighbour, so that nobody is asked by all at once.
    var arriving: [(index: Int, message: Receiving)] = []
    for distance in 1..<max(1, size) {
      let (to, from) = ((rank + distance) % size, (rank + size - distance) % size)
      for (index, part) in parts.enumerated() where part.owner == rank {
        try send(part.label, contents[index] ?? [], to: to)
      }
      // Messages of a rank come in their order, so each is received after the one before.
      for (index, part) in parts.enumerated() where part.owner == from {
        let message = try Receiving(part.label, from: from, transport)
        try waiter.wait([message], part.label.description)
        arriving.append((index, message))
      }
    }
    for (index, arrived) in arriving { contents[index] = arrived.message?.content }
    try flush()
    return parts.indices.map { contents[$0] ?? [] }
  }

  /// Gives every process what the first has.
  package func broadcast(_ label: MessageLabel, _ content: [UInt8]) throws -> [UInt8] {
    guard isFirst else { return try receive(label, from: 0) }
    for other in 1..<max(1, size) { try send(label, content, to: other) }
    try flush()
    return content
  }

  /// Gives the first process what each has; the others get nothing.
  package func gather(_ label: MessageLabel, _ content: [UInt8]) throws -> [[UInt8]] {
    guard isFirst else {
      try send(label, content, to: 0)
      try flush()
      return []
    }
    return [content] + (try (1..<max(1, size)).map { try receive(label, from: $0) })
  }

  /// Returns when every process has come here.
  package func meet(_ label: MessageLabel) throws {
    _ = try gather(label, [])
    _ = try broadcast(label, [])
  }

  // MARK: Agreement

  /// Fails in every process unless all of them say the same.
  ///
  /// - Parameters:
  ///   - own: what this process goes by, such as settings with the hashes of files.
  ///   - differences: how the first one's differs from this one's.
  /// - Throws: `Verdict` in all of them.
  package func agree(
    _ own: String, differences: (_ first: String) throws -> [String]
  ) throws {
    let first = try broadcast(MessageLabel(.facts), Array(own.utf8))
    let found = isFirst ? [] : try differences(String(decoding: first, as: UTF8.self))
    let words = found.isEmpty ? "" : "rank \(rank) on \(Self.host): \(found.joined(separator: "; "))"
    let all = try gather(MessageLabel(.verdict), Array(words.utf8))
    let verdict = try broadcast(
      MessageLabel(.verdict), Array(all.filter { !$0.isEmpty }.joined(separator: Array("\n".utf8))))
    guard !verdict.isEmpty else { return }
    throw Verdict(
      .failure, isSpeaker: isFirst,
      "the processes do not agree: \(String(decoding: verdict, as: UTF8.self))")
  }

  /// The name of this machine.
  private static var host: String { ProcessInfo.processInfo.hostName }

  // MARK: The end

  /// Leaves the job, once all have come to their end.
  package func end() throws {
    try meet(MessageLabel(.end))
    transport.end()
  }

  /// Leaves the job after an error, if all processes met with it; whether they did.
  package func leave(after error: any Error) -> Bool {
    let isShared = error is any SharedEnd || (error as? CommandError) == .interrupted
    if isShared { transport.end() }
    return isShared
  }

  /// Ends every process of the job at once.
  package func abort(_ status: ExitStatus) { transport.abort(status.rawValue) }
}
