import Foundation
import MoscReport

/// How a job ends when a process meets with an error: the first one hears of it and tells all others, so that one
/// message says why and every process ends with the same status.
extension Cluster {
  /// Ends the work of all others, and hears that they have heard.
  ///
  /// - Returns: whether all of them have within some seconds.
  package func dismiss(_ status: ExitStatus) throws -> Bool {
    for rank in 1..<max(1, size) { try send(MessageLabel(.end, Int(status.rawValue)), [], to: rank) }
    var waiting = Set(1..<max(1, size))
    let begin = ContinuousClock.now
    // Who is done with everything only waits for this; who is in the midst of something hears it after a step.
    let patience = status == .success ? patience.limit : Self.dismissal
    while !waiting.isEmpty, (ContinuousClock.now - begin).seconds < patience {
      for rank in waiting {
        // What comes behind the answer is not for this.
        while waiting.contains(rank), let message = try poll(from: rank) {
          if message.label.kind == .end { waiting.remove(rank) }
        }
      }
      if !waiting.isEmpty { usleep(1000) }
    }
    guard waiting.isEmpty else { return false }
    if status != .success { isParted = true }
    return true
  }

  /// Seconds in which others must hear that the job ends with an error.
  private static let dismissal = 10.0
  /// Seconds in which the first process must hear of an error of another.
  private static let hearing = 20.0

  /// Tells the first process that this one has heard of the end.
  func answer(_ status: ExitStatus) throws {
    try sendAlone(MessageLabel(.end, Int(status.rawValue)), to: 0)
    if status != .success { isParted = true }
  }

  /// Leaves the job after an error.
  ///
  /// - Returns: what this process ends with, and whether it must end the others, which have not heard.
  package func leave(after error: any Error) -> (error: any Error, mustAbort: Bool) {
    do {
      let end = try parted(by: error)
      // A library may wait for ever for what nobody receives.
      if isParted, try !hasLeftovers() {
        transport.end()
        return (end, false)
      }
      // The first process has yet to say why.
      if isParted, !isFirst { usleep(2_000_000) }
      return (end, true)
    } catch {
      // The other end is gone, or says what nobody understands: the first error is the one to tell.
    }
    return (error, true)
  }

  /// Lets all hear of an error, and what this process ends with.
  private func parted(by error: any Error) throws -> any Error {
    if isParted { return error }
    if isFirst {
      _ = try dismiss(ExitStatus(error))
      return error
    }
    if let verdict = error as? Verdict {
      // Rank 0 has said it.
      try answer(verdict.status)
      return error
    }
    try send(MessageLabel(.failure), Array(Failure(error).text.utf8), to: 0)
    let begin = ContinuousClock.now
    while (ContinuousClock.now - begin).seconds < Self.hearing {
      if let message = try poll(from: 0), message.label.kind == .end {
        let status = ExitStatus(rawValue: Int32(clamping: message.label.number)) ?? .failure
        try answer(status)
        return Verdict(status, isSpeaker: false, "rank 0 has ended")
      }
      usleep(1000)
    }
    return error
  }
}
