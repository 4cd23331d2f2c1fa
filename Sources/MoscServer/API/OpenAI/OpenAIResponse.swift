import Foundation
import Hummingbird
import MoscFormats
import MoscImages
import MoscReport

/// What the images API answers, at once or as a stream of events.
struct OpenAIResponse: Sendable {
  private let asked: OpenAIRequest
  private let job: Job
  private let services: Services

  init(_ asked: OpenAIRequest, _ job: Job, _ services: Services) {
    (self.asked, self.job, self.services) = (asked, job, services)
  }

  private var formatName: String { asked.format == .png ? "png" : "jpeg" }

  func response() async throws -> Response {
    let state = job.current
    try check(state)
    var data: [JSONValue] = []
    for picture in state.pictures {
      if asked.givesAddresses {
        data.append(.fields([("url", .string("/mosc/v1/pictures/\(picture.id)"))]))
      } else {
        data.append(.fields([("b64_json", .string(try await encoded(picture)))]))
      }
    }
    var fields: [(String, JSONValue)] = [
      ("created", .int(Int(job.created.timeIntervalSince1970))), ("data", .array(data)),
      ("output_format", .string(formatName)), ("quality", .string(asked.quality)),
      ("background", .string("opaque")), ("usage", Self.usage),
    ]
    if let first = state.pictures.first { fields.append(("size", .string("\(first.width)x\(first.height)"))) }
    return .json(.fields(fields))
  }

  private func check(_ state: JobState) throws {
    switch state.status {
    case .completed: return
    case .cancelled: throw APIError(409, "the job was cancelled", kind: "cancelled")
    default: throw APIError(500, state.error ?? "the job failed", kind: "failed")
    }
  }

  /// A picture's file as base64, in the format that was asked for.
  private func encoded(_ picture: JobPicture) async throws -> String {
    let (store, format) = (services.store, asked.format)
    return try await Offload.run {
      guard let data = try store.picture(picture.id) else { throw APIError(500, "the picture is gone") }
      if format == .png { return data.base64EncodedString() }
      let (image, texts) = try PNG.decode(data, path: "the picture")
      return try format.encode(image.rgb, texts: texts.filter { $0.keyword == "parameters" }).base64EncodedString()
    }
  }

  /// Nobody counts tokens here, but clients expect the numbers.
  private static let usage: JSONValue = .fields([
    ("input_tokens", .int(0)),
    ("input_tokens_details", .fields([("image_tokens", .int(0)), ("text_tokens", .int(0))])),
    ("output_tokens", .int(0)), ("total_tokens", .int(0)),
  ])

  /// Partial pictures as they come, then each picture.
  ///
  /// - Parameter kind: the beginning of the events' names.
  func stream(_ kind: String) -> Response {
    let (stream, out) = AsyncStream<String>.makeStream()
    let (asked, job, queue) = (asked, job, services.queue)
    let forward = Task {
      var partial = 0
      for await event in job.events.subscribe() {
        switch event.name {
        case "preview" where partial < asked.partialImages:
          guard let preview = job.current.preview else { continue }
          out.yield(
            EventStream.text(
              "\(kind).partial_image",
              self.event("\(kind).partial_image", preview.base64EncodedString(), [("partial_image_index", .int(partial))])))
          partial += 1
        case "done":
          out.yield(await last(kind))
        default: continue
        }
      }
      out.finish()
    }
    out.onTermination = { _ in forward.cancel() }
    return EventStream.response(abandoned: { _ = queue.cancel(job.id) }, stream)
  }

  private func last(_ kind: String) async -> String {
    let state = job.current
    do {
      try check(state)
      var text = ""
      for picture in state.pictures {
        let name = "\(kind).completed"
        text += EventStream.text(
          name, event(name, try await encoded(picture), [("usage", Self.usage)], "\(picture.width)x\(picture.height)"))
      }
      return text
    } catch {
      let error = APIError(error)
      return EventStream.text(
        "error",
        .fields([
          ("type", .string("error")),
          ("error", .fields([
            ("message", .string(error.message)), ("type", .string("server_error")),
            ("code", error.kind.map(JSONValue.string) ?? .null), ("param", .null),
          ])),
        ]))
    }
  }

  private func event(
    _ name: String, _ base64: String, _ others: [(String, JSONValue)], _ size: String = "auto"
  ) -> JSONValue {
    .fields(
      [
        ("type", .string(name)), ("b64_json", .string(base64)), ("background", .string("opaque")),
        ("created_at", .int(Int(job.created.timeIntervalSince1970))),
        ("output_format", .string(name.hasSuffix("completed") ? formatName : "png")),
        ("quality", .string(asked.quality)), ("size", .string(size)),
      ] + others)
  }
}
