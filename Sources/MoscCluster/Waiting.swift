import Foundation
import MoscReport

/// How long a process waits for others before it says so, and before it gives up.
package struct Patience: Hashable, Sendable {
  /// Seconds until a message names whom it waits for.
  package var warning = 60.0
  /// Seconds until the job is ended; training steps, fusion stages and the models of other machines may take
  /// long.
  package var limit = 1800.0

  package init() {}
}

/// Something that comes to an end bit by bit.
protocol Advancing: AnyObject {
  /// The process that it depends on.
  var partner: Int { get }
  /// Does what can be done now; whether that was all.
  func advance() throws -> Bool
}

/// A message on its way out.
final class Sending: Advancing {
  let partner: Int
  private let memory: UnsafeMutableRawBufferPointer
  private var transfers: [any Transfer] = []

  init(_ label: MessageLabel, _ content: [UInt8], to rank: Int, _ transport: any Transport) throws {
    partner = rank
    memory = .allocate(byteCount: MessageHeader.byteCount + content.count, alignment: 64)
    let header = content.withUnsafeBytes { MessageHeader(label, $0) }
    memory.copyBytes(from: header.bytes + content)
    for part in Self.parts(memory.count) {
      transfers.append(
        try transport.send(
          UnsafeRawBufferPointer(rebasing: memory[part]), to: rank, tag: Self.tag))
    }
  }

  deinit { memory.deallocate() }

  func advance() throws -> Bool {
    while var next = transfers.first {
      guard try next.isDone() else { return false }
      transfers.removeFirst()
    }
    return true
  }

  /// The tag of all messages: they are told apart by their labels.
  static let tag: Int32 = 7

  /// The header, then pieces that lengths of 32 bits can say.
  static func parts(_ count: Int) -> [Range<Int>] {
    let header = MessageHeader.byteCount
    return [0..<header]
      + stride(from: header, to: count, by: 1 << 30).map { $0..<min($0 + 1 << 30, count) }
  }
}

/// A message on its way in.
final class Receiving: Advancing {
  let partner: Int
  /// What must come; nil for whatever does.
  var expected: MessageLabel?
  private let transport: any Transport
  private var memory: UnsafeMutableRawBufferPointer
  private var transfers: [any Transfer] = []
  private var header: MessageHeader?

  /// - Parameter label: what must come; nil for whatever does.
  init(_ label: MessageLabel?, from rank: Int, _ transport: any Transport) throws {
    (partner, expected, self.transport) = (rank, label, transport)
    memory = .allocate(byteCount: MessageHeader.byteCount, alignment: 64)
    transfers = [try transport.receive(into: memory, from: rank, tag: Sending.tag)]
  }

  deinit { memory.deallocate() }

  /// Whether the library may yet write to the memory.
  var isOnItsWay: Bool { !transfers.isEmpty }

  /// What came; nil before all has.
  private(set) var message: (label: MessageLabel, content: [UInt8])?

  func advance() throws -> Bool {
    while message == nil {
      while var next = transfers.first {
        guard try next.isDone() else { return false }
        transfers.removeFirst()
      }
      if let header {
        try finish(header)
      } else {
        try begin(MessageHeader([UInt8](memory)))
      }
    }
    return true
  }

  private func begin(_ found: MessageHeader?) throws {
    guard let found else {
      throw CommandError.failure(
        "rank \(partner) sent something that is no message: is it the same version of mosc?")
    }
    if let expected, found.label != expected {
      // What ends the job is heard wherever a process is.
      if found.label.kind == .end, let status = ExitStatus(rawValue: Int32(clamping: found.label.number)),
        status != .success
      {
        throw Verdict(status, isSpeaker: false, "rank \(partner) has ended")
      }
      if found.label.kind == .failure { return try read(found) }
      throw CommandError.failure(
        "rank \(partner) sent \(found.label), expected \(expected): the processes do not do the same")
    }
    try read(found)
  }

  private func read(_ found: MessageHeader) throws {
    header = found
    memory.deallocate()
    memory = .allocate(byteCount: found.length, alignment: 64)
    transfers = try stride(from: 0, to: found.length, by: 1 << 30).map { first in
      let part = memory[first..<min(first + 1 << 30, found.length)]
      return try transport.receive(
        into: UnsafeMutableRawBufferPointer(rebasing: part), from: partner, tag: Sending.tag)
    }
  }

  private func finish(_ header: MessageHeader) throws {
    let content = UnsafeRawBufferPointer(memory)
    let sum = MessageHeader.checksum(content)
    guard sum == header.checksum else {
      throw CommandError.failure(
        "\(header.label) from rank \(partner) was damaged on the way: checksum \(sum), expected "
          + "\(header.checksum)")
    }
    let bytes = [UInt8](content)
    if header.label.kind == .failure, expected != nil, expected?.kind != .failure {
      let text = String(decoding: bytes, as: UTF8.self)
      let failure = (Failure(text) ?? Failure(.failure, text)).saidBy(partner)
      throw failure.status == .interrupted ? .interrupted : CommandError(failure.status, failure.message)
    }
    message = (header.label, bytes)
  }
}

/// Waits without using up a core.
struct Waiter {
  private let patience: Patience
  private let reporter: Reporter
  /// Microseconds between two looks after some seconds of waiting: nobody sees a fiftieth of what has been waited,
  /// and idle processes cost next to nothing.
  private static func pause(_ seconds: Double) -> UInt32 { UInt32(min(max(seconds * 1e6 / 50, 100), 5000)) }
  /// Seconds from a request to end until waiting is over: launchers kill what has not ended after about one, and
  /// the first process may have a state to save. The others wait for it.
  private let grace: Double

  init(_ patience: Patience, _ reporter: Reporter, isFirst: Bool) {
    (self.patience, self.reporter) = (patience, reporter)
    grace = isFirst ? 0.5 : patience.warning
  }

  /// Returns when everything has come to its end.
  ///
  /// - Parameters:
  ///   - what: what is waited for, in messages.
  ///   - isPatient: whether it may take as long as it likes.
  ///   - forAll: whether the first end is not enough.
  /// - Throws: `CommandError.failure` naming the ranks that are late when patience ends; `.interrupted` some time
  ///   after this process was asked to end.
  func wait(
    _ pending: [any Advancing], _ what: @autoclosure () -> String, isPatient: Bool = false, forAll: Bool = true
  ) throws {
    var rest = pending
    let begin = ContinuousClock.now
    var isWarned = false
    var asked: ContinuousClock.Instant?
    while true {
      let before = rest.count
      rest = try rest.filter { try !$0.advance() }
      if rest.isEmpty || !forAll && rest.count < before { return }
      if rest.count < before { continue }
      let seconds = (ContinuousClock.now - begin) / .seconds(1)
      usleep(Self.pause(seconds))
      if Interruption.endsProcess {
        let first = asked ?? .now
        asked = first
        if (ContinuousClock.now - first) / .seconds(1) > grace { throw CommandError.interrupted }
      }
      guard !isPatient, seconds > (isWarned ? patience.limit : patience.warning) else { continue }
      let late = Set(rest.map(\.partner)).sorted().map(String.init).joined(separator: ", ")
      let text = "waiting \(Int(seconds)) s for rank \(late) (\(what()))"
      guard isWarned else {
        reporter.warn(text, kind: "late \(late) \(what())")
        isWarned = true
        continue
      }
      throw CommandError.failure("\(text): given up, see --mpi-timeout")
    }
  }
}
