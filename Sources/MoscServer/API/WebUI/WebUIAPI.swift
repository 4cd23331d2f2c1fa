import Foundation
import Hummingbird
import MoscFormats
import MoscReport

/// The API of the A1111 web UI, version 1.10, as far as it draws.
///
/// What is not here answers 404, by which clients know what a server can. Source: A1111 `modules/api`.
struct WebUIAPI: Sendable {
  let services: Services

  init(_ services: Services) { self.services = services }

  var routes: [Route] {
    let lists = WebUILists(services)
    return [
      Route(.post, "/sdapi/v1/txt2img") { try await self.draw($0, beginsWithPicture: false) },
      Route(.post, "/sdapi/v1/img2img") { try await self.draw($0, beginsWithPicture: true) },
      Route(.get, "/sdapi/v1/progress") { self.progress($0) },
      Route(.post, "/sdapi/v1/interrupt") { _ in
        self.services.queue.interrupt()
        return .json(.fields([]))
      },
      Route(.post, "/sdapi/v1/skip") { _ in
        self.services.queue.interrupt()
        return .json(.null)
      },
      Route(.get, "/sdapi/v1/options") { _ in try self.options() },
      Route(.post, "/sdapi/v1/options") { try await self.setOptions($0) },
      Route(.post, "/sdapi/v1/png-info") { try await self.pictureInfo($0) },
      Route(.get, "/internal/ping") { _ in .json(.fields([])) },
      Route(.post, "/internal/progress") { try await self.taskProgress($0) },
    ] + lists.routes
  }

  // MARK: Drawing

  private func draw(_ call: Call, beginsWithPicture: Bool) async throws -> Response {
    // Whoever closes the connection wants no picture.
    try await call.request.body.consumeWithCancellationOnInboundClose { body in
      let asked = try WebUIRequest(
        await call.json(body), beginsWithPicture: beginsWithPicture, self.services)
      let (job, plan) = try await self.services.submit(
        asked.request, echo: asked.echo, previewInterval: Self.previewInterval, taskID: asked.taskID)
      try await self.services.queue.wait(for: job)
      return try await WebUIResponse(asked, plan, job, self.services).response().closing
    }
  }

  /// Steps between previews.
  static let previewInterval = 5

  // MARK: Progress

  private func state(_ job: Job?) -> JSONValue {
    let now = job?.current
    return .fields([
      ("skipped", .bool(false)), ("interrupted", .bool(job?.token.isCancelled == true)),
      ("stopping_generation", .bool(false)), ("job", .string(job?.taskID ?? (job == nil ? "" : "scripts_txt2img"))),
      ("job_count", .int(now?.total ?? 0)),
      ("job_timestamp", .string(job.map { String($0.id.prefix(15).filter { $0 != "-" }) } ?? "0")),
      ("job_no", .int(now?.done ?? 0)), ("sampling_step", .int(now?.step ?? 0)),
      ("sampling_steps", .int(now?.steps ?? 0)),
    ])
  }

  private func progress(_ call: Call) -> Response {
    let job = services.queue.running ?? services.queue.active.first
    let now = job?.current
    let isWanted = call.query("skip_current_image")?.lowercased() != "true"
    return .json(
      .fields([
        ("progress", .rounded(Self.share(now))), ("eta_relative", .rounded(now?.secondsLeft ?? 0)),
        ("state", state(job)),
        ("current_image", isWanted ? now?.preview.map { .string($0.base64EncodedString()) } ?? .null : .null),
        ("textinfo", now.map { .string($0.message) } ?? .null),
        ("current_task", job?.taskID.map(JSONValue.string) ?? .null),
      ]))
  }

  /// The share that the web UI shows, which is never 0 while something runs.
  private static func share(_ state: JobState?) -> Double { state.map { min(1, 0.01 + $0.progress) } ?? 0 }

  private func taskProgress(_ call: Call) async throws -> Response {
    let fields = try await call.json()
    let last = try fields.int("id_live_preview", in: -1...Int.max) ?? -1
    let job = try fields.string("id_task").flatMap { services.queue.task($0) }
    let now = job?.current
    let preview = now.flatMap { $0.previewNumber > last ? $0.preview : nil }
    return .json(
      .fields([
        ("active", .bool(now?.status == .running)), ("queued", .bool(now?.status == .queued)),
        ("paused", .bool(false)), ("completed", .bool(now?.status.isOver ?? false)),
        ("progress", now.map { .rounded(Self.share($0)) } ?? .null), ("eta", now?.secondsLeft.map { .rounded($0) } ?? .null),
        ("live_preview", preview.map { .string("data:image/png;base64,\($0.base64EncodedString())") } ?? .null),
        ("id_live_preview", .int(now?.previewNumber ?? -1)),
        ("textinfo", now.map { .string($0.message) } ?? .null),
      ]))
  }

  // MARK: Options

  private func options() throws -> Response {
    let settings = services.settings
    let model = try services.catalog.find(settings.model)
    var fields: [(String, JSONValue)] = [
      ("sd_model_checkpoint", .string(services.catalog.title(model))),
      ("sd_checkpoint_hash", services.catalog.hash(model).map(JSONValue.string) ?? .null),
      ("sd_vae", .string("Automatic")), ("CLIP_stop_at_last_layers", .int(settings.clipSkip)),
      ("samples_format", .string("png")), ("samples_save", .bool(true)), ("live_previews_enable", .bool(true)),
      ("show_progress_every_n_steps", .int(Self.previewInterval)),
    ]
    let own = Set(fields.map(\.0))
    for (name, text) in settings.others.sorted(by: { $0.key < $1.key }) where !own.contains(name) {
      fields.append((name, try JSONValue.parse(text.utf8, path: "options")))
    }
    return .json(.fields(fields))
  }

  /// Takes some options, or the whole object as it was read.
  private func setOptions(_ call: Call) async throws -> Response {
    let fields = try await call.json()
    let model = try fields.string("sd_model_checkpoint").map { try services.catalog.find($0) }
    let clipSkip = try fields.int("CLIP_stop_at_last_layers", in: 0...24).map { max(1, $0) }
    try WebUIRequest.checkVAE(fields.string("sd_vae"))
    let own: Set<String> = ["sd_model_checkpoint", "sd_checkpoint_hash", "sd_vae", "CLIP_stop_at_last_layers"]
    let others = fields.members.filter { !own.contains($0.key) }
    guard others.count <= 1000, others.allSatisfy({ $0.key.utf8.count + $0.value.description.utf8.count <= 4096 })
    else { throw APIError(422, "too many options, or too long ones") }
    services.change { settings in
      if let model { settings.model = model.id }
      if let clipSkip { settings.clipSkip = clipSkip }
      for member in others where settings.others.count < 1000 { settings.others[member.key] = member.value.description }
    }
    return .json(.null)
  }

  private func pictureInfo(_ call: Call) async throws -> Response {
    let fields = try await call.json()
    guard let text = try fields.string("image") else { throw APIError.field("image", "Field required", kind: "missing") }
    let value = try await Offload.run { try PictureTexts.json(UploadedPicture.data(text, field: "image")) }
    return .json(value)
  }
}
