import Foundation
import MoscFormats
import Synchronization

/// An event of a job.
struct JobEvent: Sendable {
  var id: Int
  /// `progress`, `preview`, `picture`, `line` or `done`.
  var name: String
  var data: JSONValue
}

/// What happened to a job, for those who watch it; whoever comes later gets what is still of interest.
final class JobEvents: Sendable {
  private struct State {
    var next = 1
    /// Events to be told again; of progress and previews only the last.
    var kept: [JobEvent] = []
    var isOver = false
    var watchers: [Int: AsyncStream<JobEvent>.Continuation] = [:]
    var nextWatcher = 0
  }

  private let state = Mutex(State())
  private static let mostKept = 512

  /// Tells an event to everybody.
  func send(_ name: String, _ data: JSONValue) {
    let (event, watchers) = state.withLock { state in
      let event = JobEvent(id: state.next, name: name, data: data)
      state.next += 1
      if ["progress", "preview"].contains(name) { state.kept.removeAll { $0.name == name } }
      state.kept.append(event)
      if state.kept.count > Self.mostKept { state.kept.removeFirst() }
      if name == "done" { state.isOver = true }
      return (event, Array(state.watchers.values))
    }
    for watcher in watchers {
      watcher.yield(event)
      if name == "done" { watcher.finish() }
    }
  }

  /// The events after a number, and those to come, up to the end.
  func subscribe(after last: Int = 0) -> AsyncStream<JobEvent> {
    // Who reads slowly misses progress, but not the end.
    let (stream, watcher) = AsyncStream<JobEvent>.makeStream(bufferingPolicy: .bufferingNewest(Self.mostKept))
    let (isOver, number) = state.withLock { state in
      let number = state.nextWatcher
      state.nextWatcher += 1
      if !state.isOver { state.watchers[number] = watcher }
      // Told while no other event can come between.
      for event in state.kept where event.id > last { watcher.yield(event) }
      return (state.isOver, number)
    }
    watcher.onTermination = { [weak self] _ in
      self?.state.withLock { _ = $0.watchers.removeValue(forKey: number) }
    }
    if isOver { watcher.finish() }
    return stream
  }
}
