import Foundation
import MoscCluster
import MoscReport
import RunSupport
import Synchronization
import Testing

/// Work that is handed out on request, and how a job ends.
@Suite struct ForemanTests {
  /// Every piece is done once, those that stay are done by the first process, and all that is made arrives.
  @Test(arguments: [1, 2, 3, 4]) func everyPieceIsDoneOnce(size: Int) throws {
    let results = LocalTransport.run(size) { cluster -> [[UInt8]] in
      guard cluster.isFirst else {
        let hand = WorkingHand(cluster)
        while case .work(let number, let content)? = try hand.next() {
          try hand.note(number, steps: 1)
          try hand.deliver(number, part: 0, content + [UInt8(cluster.rank)])
        }
        try cluster.end()
        return []
      }
      var made = [[UInt8]](repeating: [], count: 12)
      // Twice, as others go on waiting between two pieces of work.
      for _ in 0..<2 {
        let works = (0..<12).map { Foreman.Work(order: $0 / 6, steps: 2, staysHere: $0 % 6 == 0) }
        let foreman = Foreman(cluster, works, .silent) { [UInt8($0), $1 ? 1 : 0] }
        try foreman.run {
          while let work = foreman.next() {
            made[work] += [UInt8(work), 0, 0]
            foreman.finish(work)
          }
          while !foreman.progress.isFinished { usleep(500) }
          for arrival in try foreman.take() { made[arrival.work] += arrival.content }
        }
        #expect(foreman.progress.done == 24)
      }
      #expect(try cluster.dismiss(.success))
      try cluster.end()
      return made
    }
    let made = try #require(try results.first?.get())
    for (number, content) in made.enumerated() {
      #expect(content.count == 6, "piece \(number): \(content)")
      #expect(content.first == UInt8(number))
      if number % 6 == 0 { #expect(content[2] == 0 && content[5] == 0) }
    }
  }

  /// The error of a process reaches the first, which ends all with its status.
  @Test func anErrorOfOneEndsAllWithOneMessage() {
    let results = LocalTransport.run(3) { cluster -> String in
      do {
        guard cluster.isFirst else {
          let hand = WorkingHand(cluster)
          while case .work? = try hand.next() {
            if cluster.rank == 1 { throw CommandError.usage("no such thing") }
            while true {
              try hand.note(0, steps: 1)
              usleep(1000)
            }
          }
          return "ended"
        }
        let works = (0..<9).map { _ in Foreman.Work(order: 0, steps: 1, staysHere: false) }
        let foreman = Foreman(cluster, works, .silent) { _, _ in [] }
        try foreman.run {
          while true {
            _ = try foreman.take()
            usleep(1000)
          }
        }
        return "ended"
      } catch {
        let end = cluster.leave(after: error)
        #expect(!end.mustAbort)
        let speaks = (end.error as? any SharedEnd)?.isSpeaker ?? true
        return "\(ExitStatus(end.error).rawValue) \(speaks ? "\(end.error)" : "")"
      }
    }
    #expect(results.compactMap { try? $0.get() } == ["2 rank 1: no such thing", "2 ", "2 "])
  }

  /// What all would refuse is said by one; what one meets with names it.
  @Test(arguments: [[0, 1, 2], [2], [1, 2]]) func preparationsFailTogether(failing: [Int]) {
    let results = LocalTransport.run(3) { cluster in
      try cluster.together {
        if failing.contains(cluster.rank) { throw CommandError(.strictness, "there is no 'x'") }
      }
    }
    for (rank, result) in results.enumerated() {
      #expect {
        try result.get()
      } throws: { error in
        guard let verdict = error as? Verdict else { return false }
        let expected = failing[0] == 0 ? "there is no 'x'" : "rank \(failing[0]): there is no 'x'"
        return verdict.isSpeaker == (rank == 0) && verdict.description == expected && verdict.status == .strictness
      }
    }
  }

  /// Messages go both ways at once, whatever their number and size.
  @Test(arguments: [2, 3, 4]) func messagesAreShifted(size: Int) throws {
    let results = LocalTransport.run(size) { cluster -> [[UInt8]] in
      var found: [[UInt8]] = []
      for distance in 1..<size {
        let (to, from) = ((cluster.rank + distance) % size, (cluster.rank + size - distance) % size)
        func labels(_ rank: Int) -> [MessageLabel] { (0..<rank * 2).map { MessageLabel(.slice, rank, part: $0) } }
        try cluster.shift(
          labels(cluster.rank), to: to, content: { [UInt8](repeating: UInt8(cluster.rank), count: 1000 * $0) },
          labels(from), from: from
        ) { index, content in
          #expect(content.count == 1000 * index)
          found.append(Array(content.prefix(1)))
        }
      }
      return found
    }
    for (rank, result) in results.enumerated() {
      let expected = (0..<size).filter { $0 != rank }.reduce(0) { $0 + 2 * $1 }
      #expect(try result.get().count == expected)
    }
  }
}
