import Foundation
import MoscCluster
import MoscReport
import Synchronization

/// Processes of a job that are threads of this one.
package final class LocalTransport: Transport, @unchecked Sendable {
  package let rank: Int
  package let size: Int
  private let mail: Mail

  /// What is on its way between any two.
  final class Mail: Sendable {
    let boxes = Mutex<[[Int]: [[UInt8]]]>([:])
  }

  private init(_ rank: Int, _ size: Int, _ mail: Mail) { (self.rank, self.size, self.mail) = (rank, size, mail) }

  static func job(_ size: Int) -> [LocalTransport] {
    let mail = Mail()
    return (0..<size).map { LocalTransport($0, size, mail) }
  }

  package func send(_ bytes: UnsafeRawBufferPointer, to rank: Int, tag: Int32) throws -> any Transfer {
    let content = [UInt8](bytes)
    mail.boxes.withLock { $0[[self.rank, rank], default: []].append(content) }
    return Done()
  }

  package func receive(
    into memory: UnsafeMutableRawBufferPointer, from rank: Int, tag: Int32
  ) throws -> any Transfer {
    Arriving(mail: mail, box: [rank, self.rank], memory: memory)
  }

  package func hasMessage(from rank: Int, tag: Int32) throws -> Bool {
    mail.boxes.withLock { !($0[[rank, self.rank]] ?? []).isEmpty }
  }

  package func abort(_ status: Int32) {}
  package func end() {}

  private struct Done: Transfer {
    mutating func isDone() -> Bool { true }
  }

  private struct Arriving: Transfer {
    let mail: Mail
    let box: [Int]
    let memory: UnsafeMutableRawBufferPointer

    mutating func isDone() -> Bool {
      let found = mail.boxes.withLock { boxes -> [UInt8]? in
        guard let first = boxes[box]?.first, first.count == memory.count else { return nil }
        boxes[box]?.removeFirst()
        return first
      }
      if let found { memory.copyBytes(from: found) }
      return found != nil
    }
  }

  /// Runs a job of several processes, each in a thread of its own; their results by rank.
  package static func run<Result: Sendable>(
    _ size: Int, _ patience: Patience = Patience(), _ body: @escaping @Sendable (Cluster) throws -> Result
  ) -> [Swift.Result<Result, any Error>] {
    let results = Mutex<[Int: Swift.Result<Result, any Error>]>([:])
    let group = DispatchGroup()
    for transport in job(size) {
      group.enter()
      let thread = Thread {
        let result = Swift.Result { try body(Cluster(transport, patience, .silent)) }
        results.withLock { $0[transport.rank] = result }
        group.leave()
      }
      // Passes go deep into large graphs.
      thread.stackSize = 64 << 20
      thread.start()
    }
    group.wait()
    return (0..<size).compactMap { rank in results.withLock { $0[rank] } }
  }

  /// What each process of a job ended with: nothing when all went well, `silent` where another one says why it did not.
  package static func ends(
    _ size: Int, first: @escaping @Sendable (Cluster) throws -> Void,
    others: @escaping @Sendable (Cluster) throws -> Void
  ) -> [String] {
    run(size) { cluster in
      do {
        if cluster.isFirst {
          try first(cluster)
          guard try cluster.dismiss(.success) else { return "others did not hear of the end" }
        } else {
          try others(cluster)
        }
        try cluster.end()
        return ""
      } catch {
        let end = cluster.leave(after: error)
        return (end.error as? any SharedEnd)?.isSpeaker == false ? "silent" : "\(end.error)"
      }
    }.map { (try? $0.get()) ?? "no end" }
  }
}
