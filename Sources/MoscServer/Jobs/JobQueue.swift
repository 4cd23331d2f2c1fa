import Foundation
import MoscFormats
import MoscReport
import Synchronization

/// Jobs in the order in which they came, of which one runs at a time.
final class JobQueue: Sendable {
  private struct State {
    var waiting: [Job] = []
    var running: Job?
    /// Jobs by id: those that are not over, and the last that are.
    var known: [String: Job] = [:]
    var over: [String] = []
    var isClosed = false
    var counts: [String: Int] = [:]
  }

  private let state = Mutex(State())
  private let arrivals = DispatchSemaphore(value: 0)
  /// Writes what became of jobs that ran: a disk may take as long as a step.
  private let records = DispatchQueue(label: "mosc.records")
  private let limit: Int
  private let store: JobStore
  private static let mostOver = 200

  init(limit: Int, _ store: JobStore) { (self.limit, self.store) = (limit, store) }

  /// Puts a job at the end.
  ///
  /// - Throws: `APIError` when there is no place, or the server stops.
  func submit(_ order: JobOrder, request: JSONValue, taskID: String? = nil) throws -> Job {
    let job = try state.withLock { state in
      if state.isClosed { throw APIError(503, "the server is being stopped") }
      guard state.waiting.count < limit else {
        throw APIError(503, "\(limit) jobs wait already; --max-queue takes more", kind: "queue_full")
      }
      // Names are given in the order of the queue.
      let job = Job(id: store.newID(), order, request: request, taskID: taskID)
      state.waiting.append(job)
      state.known[job.id] = job
      return job
    }
    try store.write(job)
    arrivals.signal()
    return job
  }

  /// Waits for a job; nil when the server stops.
  func next() -> Job? {
    while true {
      arrivals.wait()
      let (job, isClosed) = state.withLock { state -> (Job?, Bool) in
        if state.isClosed { return (nil, true) }
        // One may have been cancelled since it was signalled.
        guard !state.waiting.isEmpty else { return (nil, false) }
        let job = state.waiting.removeFirst()
        state.running = job
        return (job, false)
      }
      if isClosed { return nil }
      guard let job else { continue }
      job.update { ($0.status, $0.started) = (.running, Date()) }
      tell(job)
      return job
    }
  }

  /// Says how a job that ran has ended; it is over at once, and told so when that is on disk.
  func end(_ job: Job, _ status: JobStatus, error: String? = nil) {
    mark(job, status, error)
    state.withLock { if $0.running === job { $0.running = nil } }
    records.async { self.record(job, status) }
  }

  /// Waits until what became of all jobs that ended is on disk.
  func settle() { records.sync {} }

  private func conclude(_ job: Job, _ status: JobStatus, _ error: String?) {
    mark(job, status, error)
    record(job, status)
  }

  private func mark(_ job: Job, _ status: JobStatus, _ error: String?) {
    job.update { state in
      (state.status, state.finished, state.error, state.secondsLeft) = (status, Date(), error, nil)
      state.preview = nil
    }
  }

  private func record(_ job: Job, _ status: JobStatus) {
    do {
      try store.write(job)
    } catch {
      job.update { $0.error = ($0.error.map { "\($0); " } ?? "") + PlainPaths.clean("\(error)") }
    }
    job.release()
    state.withLock { state in
      state.counts["\(job.kind.rawValue) \(status.rawValue)", default: 0] += 1
      state.over.append(job.id)
      if state.over.count > Self.mostOver { state.known[state.over.removeFirst()] = nil }
    }
    job.events.send("done", job.json(position: nil))
  }

  /// Cancels a job that waits or runs; nil when there is none, false when it is over.
  func cancel(_ id: String) -> Bool? {
    let (job, wasWaiting) = state.withLock { state -> (Job?, Bool) in
      guard let job = state.known[id] else { return (nil, false) }
      let count = state.waiting.count
      state.waiting.removeAll { $0 === job }
      return (job, state.waiting.count < count)
    }
    guard let job else { return nil }
    if job.current.status.isOver { return false }
    job.token.cancel()
    if wasWaiting { conclude(job, .cancelled, nil) }
    return true
  }

  /// Waits for the end of a job; a task that is cancelled meanwhile cancels the job.
  func wait(for job: Job) async throws {
    for await event in job.events.subscribe() where event.name == "done" { return }
    if job.current.status.isOver { return }
    _ = cancel(job.id)
    throw CancellationError()
  }

  /// Lets go of a job that is over.
  func forget(_ id: String) { state.withLock { $0.known[id] = nil } }

  /// Cancels the job that runs.
  func interrupt() { running?.token.cancel() }

  /// Takes no more jobs; those that wait fail.
  func close() {
    let left = state.withLock { state in
      state.isClosed = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for job in left { conclude(job, .failed, "the server was stopped before it began") }
    arrivals.signal()
  }

  // MARK: Looking

  var running: Job? { state.withLock { $0.running } }
  var waitingCount: Int { state.withLock { $0.waiting.count } }
  /// How many jobs of a kind ended how.
  var counts: [String: Int] { state.withLock { $0.counts } }

  subscript(id: String) -> Job? { state.withLock { $0.known[id] } }

  /// The last job with a name that a client gave.
  func task(_ name: String) -> Job? {
    state.withLock { state in
      state.known.values.filter { $0.taskID == name }.max { $0.id < $1.id }
    }
  }

  /// Jobs that are not over, the running one first.
  var active: [Job] { state.withLock { [$0.running].compactMap(\.self) + $0.waiting } }

  /// The place in the queue, 0 for the running one; nil for what is over.
  func position(_ job: Job) -> Int? {
    state.withLock { state in
      if state.running === job { return 0 }
      return state.waiting.firstIndex { $0 === job }.map { $0 + 1 }
    }
  }

  /// Tells watchers how far a job is.
  func tell(_ job: Job) { job.events.send("progress", job.json(position: position(job))) }
}
