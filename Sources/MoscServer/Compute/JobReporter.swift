import Foundation
import MoscFormats
import MoscReport

/// Turns what a command says of its progress into the state and the events of a job.
enum JobReporter {
  /// A reporter for the work of a job.
  static func make(_ job: Job, _ queue: JobQueue) -> Reporter {
    Reporter(
      format: .json,
      sink: { text in
        guard let value = try? JSONValue.parse(text.utf8, path: "a message") else { return }
        take(value, job, queue)
      }, results: { _ in })
  }

  private static func take(_ value: JSONValue, _ job: Job, _ queue: JobQueue) {
    let phase = value["phase"]?.string ?? ""
    switch value["event"]?.string {
    case "progress":
      let (done, total) = (value["done"]?.int ?? 0, value["total"]?.int ?? 0)
      let what = value["what"]?.string ?? ""
      let left = value["eta_seconds"]?.double
      job.update { state in
        state.message = "\(phase): \(what)"
        guard ["step", "train"].contains(phase) else { return }
        (state.step, state.steps, state.secondsLeft) = (done, total, left)
      }
      if phase == "train", let loss = Double(what.replacing("loss ", with: "")) {
        job.events.send("line", .fields([("step", .int(done)), ("loss", .double(loss))]))
      }
      queue.tell(job)
    case "begin":
      job.update { state in
        state.message = "\(phase): \(value["what"]?.string ?? "")"
        if ["step", "train"].contains(phase), state.firstStep == nil { state.firstStep = Date() }
      }
      queue.tell(job)
    case "info", "warning":
      job.events.send(
        "line",
        .fields([
          ("kind", value["event"] ?? .null),
          ("message", .string(PlainPaths.clean(value["message"]?.string ?? ""))),
        ]))
    default: break
    }
  }
}
