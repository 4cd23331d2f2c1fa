import Foundation
import MoscFormats
import Synchronization

/// What a command did when, as Chrome and Perfetto show it (`chrome://tracing`).
///
/// Format: complete events (`ph: X`) with times in microseconds since the start of the program part
/// that is traced; a lane for each kind of event.
package final class TimeTrace: Sendable {
  private struct Event {
    var name: String
    var lane: String
    var start, end: ContinuousClock.Instant
  }

  private let file: OutputFile
  private let origin = ContinuousClock.now
  private let events = Mutex<[Event]>([])

  /// - Throws: for a path that cannot be written.
  package init(_ path: String) throws { file = try OutputFile(path) }

  /// Adds something that lasted from `start` till now.
  package func add(_ name: String, lane: String, since start: ContinuousClock.Instant) {
    let event = Event(name: name, lane: lane, start: start, end: .now)
    events.withLock { $0.append(event) }
  }

  /// Writes the events so far.
  package func write() throws {
    let events = events.withLock { $0 }.sorted { $0.start < $1.start }
    var lanes: [String] = []
    for event in events where !lanes.contains(event.lane) { lanes.append(event.lane) }
    let names = lanes.enumerated().map { index, lane in
      JSONValue.object([
        .init("name", .string("thread_name")), .init("ph", .string("M")), .init("pid", .int(1)),
        .init("tid", .int(index)), .init("args", .object([.init("name", .string(lane))])),
      ])
    }
    let spans = events.map { event in
      JSONValue.object([
        .init("name", .string(event.name)), .init("cat", .string(event.lane)),
        .init("ph", .string("X")), .init("pid", .int(1)),
        .init("tid", .int(lanes.firstIndex(of: event.lane) ?? 0)),
        .init("ts", .rounded((event.start - origin).seconds * 1e6)),
        .init("dur", .rounded((event.end - event.start).seconds * 1e6)),
      ])
    }
    let trace = JSONValue.object([
      .init("displayTimeUnit", .string("ms")), .init("traceEvents", .array(names + spans)),
    ])
    try file.write("\(trace)\n")
  }
}
