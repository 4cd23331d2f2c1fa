import Foundation
import MoscFormats
import MoscReport
import MoscSample
import Synchronization

/// A picture that a job left.
struct JobPicture: Sendable {
  var id: String
  /// Its place among the pictures of the job.
  var number: Int
  var seed: UInt64
  var width: Int
  var height: Int
  /// The settings as pictures carry them.
  var parameters: String

  var json: JSONValue {
    .fields([
      ("id", .string(id)), ("url", .string("/mosc/v1/pictures/\(id)")), ("seed", .string("\(seed)")),
      ("width", .int(width)), ("height", .int(height)), ("parameters", .string(parameters)),
    ])
  }
}

/// Where a job is.
enum JobStatus: String, Sendable {
  case queued, running, completed, failed, cancelled

  var isOver: Bool { ![.queued, .running].contains(self) }
}

/// Everything about a job that changes.
struct JobState: Sendable {
  var status = JobStatus.queued
  var started: Date?
  /// When its first step began.
  var firstStep: Date?
  var finished: Date?
  /// The step of the picture or of the training that was taken last.
  var step = 0
  var steps = 0
  /// Pictures that are drawn, of all.
  var done = 0
  var total = 1
  /// What happens at the moment.
  var message = ""
  var secondsLeft: Double?
  var error: String?
  var pictures: [JobPicture] = []
  /// What the job found out besides pictures, such as residuals or the name of a file.
  var findings: [(String, JSONValue)] = []
  /// The picture as it is at the moment, a PNG file.
  var preview: Data?
  var previewNumber = 0

  /// The share that is done.
  var progress: Double {
    switch status {
    case .queued: return 0
    case .completed: return 1
    default:
      let parts = Double(max(1, total))
      let share = steps > 0 && done < total ? Double(step) / Double(steps) / parts : 0
      return min(1, Double(done) / parts + share)
    }
  }
}

/// A piece of work that was asked for, from its place in the queue to its result.
final class Job: Sendable {
  let id: String
  let kind: JobKind
  let created: Date
  /// The name that the client gave it.
  let taskID: String?
  let token = CancellationToken()
  let events = JobEvents()
  private let state: Mutex<JobState>
  /// The work, and what was asked for in words of the API that asked; both are let go of at the end, as models
  /// and masks hang on them.
  private let work: Mutex<(order: JobOrder?, request: JSONValue)>

  init(id: String, _ order: JobOrder, request: JSONValue, taskID: String?, created: Date = Date()) {
    (self.id, kind, self.taskID, self.created) = (id, order.kind, taskID, created)
    work = Mutex((order, request))
    var state = JobState()
    if case .draw(let draw) = order { state.total = draw.plan.count }
    self.state = Mutex(state)
  }

  var current: JobState { state.withLock { $0 } }

  /// The work; nil once it is over.
  var order: JobOrder? { work.withLock { $0.order } }

  /// Whether it is over, and all of it is on disk.
  var isSettled: Bool { order == nil }

  /// To the millisecond, in which much happens here.
  private static let timeFormat = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

  /// Lets go of what only the work needed.
  func release() { work.withLock { $0 = (nil, .null) } }

  func update<Result: Sendable>(_ change: (inout JobState) -> Result) -> Result { state.withLock { change(&$0) } }

  /// The job as the API shows it.
  func json(position: Int?, withRequest: Bool = false) -> JSONValue {
    let now = current
    func time(_ date: Date?) -> JSONValue { date.map { .string($0.formatted(Self.timeFormat)) } ?? .null }
    var result: [(String, JSONValue)] = now.findings
    if !now.pictures.isEmpty { result.append(("pictures", .array(now.pictures.map(\.json)))) }
    var fields: [(String, JSONValue)] = [
      ("id", .string(id)), ("kind", .string(kind.rawValue)), ("status", .string(now.status.rawValue)),
      ("queue_position", position.map(JSONValue.int) ?? .null), ("created", time(created)),
      ("started", time(now.started)), ("first_step", time(now.firstStep)), ("finished", time(now.finished)),
      ("progress", .rounded(now.progress)), ("step", .int(now.step)), ("steps", .int(now.steps)),
      ("seconds_left", now.secondsLeft.map { .rounded($0) } ?? .null), ("message", .string(now.message)),
      ("result", result.isEmpty ? .null : .fields(result)),
      ("error", now.error.map(JSONValue.string) ?? .null),
    ]
    if withRequest { fields.append(("request", work.withLock { $0.request })) }
    return .fields(fields)
  }
}
