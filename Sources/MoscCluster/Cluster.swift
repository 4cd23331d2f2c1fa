import Foundation
import MoscReport

/// The processes of a job, as one of them sees it.
///
/// Every operation is called by all of them in the same order; what they send is labelled, so that those which
/// went different ways find out. One thread at a time may use it.
package final class Cluster {
  package let rank: Int
  package let size: Int
  /// The threads that this process should use.
  package internal(set) var threads = 1
  /// The processes of the job on this machine.
  package internal(set) var localSize = 1
  let transport: any Transport
  private let waiter: Waiter
  let patience: Patience
  /// Whether all processes know that they are to end.
  package var isEnding = false
  /// Whether all processes know that the job ends with an error, and nobody waits for another.
  var isParted = false
  /// Other processes that have asked for work and got none.
  var idle: Set<Int> = []
  /// Messages that are on their way while others are waited for.
  private var leaving: [Sending] = []
  /// Messages that have begun to come, by rank. One that was given up stays: the library may yet write to its
  /// memory, and what comes of it is the next message of the rank.
  private var coming: [Int: Receiving] = [:]

  package init(_ transport: any Transport, _ patience: Patience, _ reporter: Reporter) {
    (rank, size) = (transport.rank, transport.size)
    self.transport = transport
    self.patience = patience
    waiter = Waiter(patience, reporter, isFirst: transport.rank == 0)
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
    let receiving = try begin(label, from: rank)
    try waiter.wait([receiving], label.description)
    coming[rank] = nil
    return receiving.message?.content ?? []
  }

  /// Waits for a message of a rank, whatever it is about.
  ///
  /// - Parameter isPatient: whether it may take as long as it likes.
  func receiveAny(from rank: Int, isPatient: Bool = false) throws -> (label: MessageLabel, content: [UInt8])? {
    let receiving = try begin(nil, from: rank)
    try waiter.wait([receiving], "a message", isPatient: isPatient)
    coming[rank] = nil
    return receiving.message
  }

  /// The next message of a rank, which one that was given up may be.
  private func begin(_ label: MessageLabel?, from rank: Int) throws -> Receiving {
    if let begun = coming[rank] {
      begun.expected = label
      return begun
    }
    let receiving = try Receiving(label, from: rank, transport)
    coming[rank] = receiving
    return receiving
  }

  /// Whether messages are on their way that nobody waits for any more.
  func hasLeftovers() throws -> Bool {
    leaving = try leaving.filter { try !$0.advance() }
    return !leaving.isEmpty || coming.values.contains(where: \.isOnItsWay)
  }

  /// Sends a message, and waits for nothing but that it is sent.
  func sendAlone(_ label: MessageLabel, to rank: Int) throws {
    let sending = try Sending(label, [], to: rank, transport)
    leaving.append(sending)
    try waiter.wait([sending], "sending")
    leaving.removeAll { $0 === sending }
  }

  /// The next message of a rank, if it has begun to come.
  package func poll(from rank: Int) throws -> (label: MessageLabel, content: [UInt8])? {
    leaving = try leaving.filter { try !$0.advance() }
    if let begun = coming[rank] {
      begun.expected = nil
      guard try begun.advance() else { return nil }
      coming[rank] = nil
      return begun.message
    }
    guard try transport.hasMessage(from: rank, tag: Sending.tag) else { return nil }
    return try receiveAny(from: rank)
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
        let message = try begin(part.label, from: from)
        try waiter.wait([message], part.label.description)
        coming[from] = nil
        arriving.append((index, message))
      }
    }
    for (index, arrived) in arriving { contents[index] = arrived.message?.content }
    try flush()
    return parts.indices.map { contents[$0] ?? [] }
  }

  /// Sends messages to one process and receives others from another at once, one of each at a time.
  ///
  /// In rounds in which every process sends as far ahead as it receives from behind, nobody waits for ever.
  package func shift(
    _ outgoing: [MessageLabel], to: Int, content: (Int) throws -> [UInt8], _ incoming: [MessageLabel], from: Int,
    _ take: (Int, [UInt8]) throws -> Void
  ) throws {
    var (sent, received) = (0, 0)
    var (sending, receiving): (Sending?, Receiving?)
    while true {
      if sending == nil, sent < outgoing.count {
        let next = try Sending(outgoing[sent], content(sent), to: to, transport)
        leaving.append(next)
        (sending, sent) = (next, sent + 1)
      }
      if receiving == nil, received < incoming.count { receiving = try begin(incoming[received], from: from) }
      let pending = [sending as (any Advancing)?, receiving].compactMap { $0 }
      if pending.isEmpty { return }
      try waiter.wait(pending, "\(outgoing.first ?? incoming[received])", forAll: false)
      if let done = sending, try done.advance() {
        leaving.removeAll { $0 === done }
        sending = nil
      }
      if let done = receiving, try done.advance() {
        coming[from] = nil
        try take(received, done.message?.content ?? [])
        (receiving, received) = (nil, received + 1)
      }
    }
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
    isParted = true
    throw Verdict(
      .failure, isSpeaker: isFirst,
      "the processes do not agree: \(String(decoding: verdict, as: UTF8.self))")
  }

  /// The name of this machine.
  package static var host: String { ProcessInfo.processInfo.hostName }

  /// Does something in every process; where it fails in one, all of them end, and one says why.
  ///
  /// - Throws: `Verdict` in all of them.
  package func together<Result>(_ body: () throws -> Result) throws -> Result {
    let result = Swift.Result(catching: body)
    var words = ""
    if case .failure(let error) = result { words = Failure(error).text }
    let all = try gather(MessageLabel(.failure), Array(words.utf8)).map { String(decoding: $0, as: UTF8.self) }
    // What all of them meet with is nobody's own.
    let first = all.firstIndex { !$0.isEmpty }
    let own = first.flatMap { rank in Failure(all[rank]).map { rank == 0 ? $0 : $0.saidBy(rank) } }
    let verdict = try broadcast(MessageLabel(.failure), Array((own?.text ?? "").utf8))
    if let failure = Failure(String(decoding: verdict, as: UTF8.self)) {
      isParted = true
      throw Verdict(failure.status, isSpeaker: isFirst, failure.message)
    }
    return try result.get()
  }

  // MARK: The end

  /// Leaves the job, once all have come to their end.
  package func end() throws {
    try meet(MessageLabel(.end))
    transport.end()
  }

  /// Comes to an end together with all others, before an error that all of them throw, if they have agreed to.
  package func part(_ label: MessageLabel) throws {
    guard isEnding else { return }
    try meet(label)
    isParted = true
  }

  /// Ends every process of the job at once.
  package func abort(_ status: ExitStatus) { transport.abort(status.rawValue) }
}
