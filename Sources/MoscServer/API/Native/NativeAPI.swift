import Foundation
import Hummingbird
import MoscFormats
import MoscReport
import MoscSample

/// The API of the studio: jobs of all kinds with their events, pictures, and what there is to choose.
struct NativeAPI: Sendable {
  let services: Services

  init(_ services: Services) { self.services = services }

  var routes: [Route] {
    [
      Route(.post, "/mosc/v1/jobs") { try await self.submit($0) },
      Route(.get, "/mosc/v1/jobs") { try await self.list($0) },
      Route(.get, "/mosc/v1/jobs/{id}") { try await self.show($0) },
      Route(.delete, "/mosc/v1/jobs/{id}") { try await self.remove($0) },
      Route(.get, "/mosc/v1/jobs/{id}/events") { try await self.events($0) },
      Route(.get, "/mosc/v1/jobs/{id}/preview") { try await self.preview($0) },
      Route(.get, "/mosc/v1/pictures/{id}") { try await self.picture($0) },
      Route(.get, "/mosc/v1/catalog") { _ in try await self.catalog() },
      Route(.post, "/mosc/v1/coverage") { try await self.coverage($0) },
      Route(.post, "/mosc/v1/settings-of-picture") { try await self.settings($0) },
      Route(.post, "/mosc/v1/command-line") { try await self.commandLine($0) },
      Route(.get, "/mosc/v1/openapi.json") { _ in OpenAPIDocument.response },
      Route(.get, "/healthz") { _ in self.health() },
      Route(.get, "/metrics") { _ in ServerMetrics.response(self.services) },
    ]
  }

  // MARK: Jobs

  private func submit(_ call: Call) async throws -> Response {
    let fields = try await call.json()
    let job: Job
    switch try fields.string("kind") ?? "draw" {
    case "draw":
      let interval = try fields.int("preview_every", in: 0...1000) ?? 0
      let request = try DrawFields.request(fields, services)
      job = try await services.submit(request, echo: .object(fields.members), previewInterval: interval).job
    case "teach": job = try await TeachFields.submit(fields, services)
    case "fuse": job = try await FuseFields.submit(fields, services)
    case let kind: throw APIError.field("kind", "expected draw, teach or fuse, found '\(kind)'")
    }
    return .json(
      job.json(position: services.queue.position(job)), .accepted, headers: [.location: "/mosc/v1/jobs/\(job.id)"])
  }

  /// Jobs, the newest first; those that are not over stand before all others.
  private func list(_ call: Call) async throws -> Response {
    let limit = min(max(call.query("limit").flatMap { Int($0) } ?? 50, 1), 200)
    let before = call.query("before")
    let (services, queue) = (services, services.queue)
    let active = before == nil ? queue.active : []
    let records = try await Offload.run {
      try services.store.ids(before: before, limit: limit).compactMap { id -> JSONValue? in
        if let job = queue[id], !job.isSettled { return job.current.status.isOver ? job.json(position: nil, withRequest: true) : nil }
        return try services.store.record(id)
      }
    }
    return .json(
      .fields([
        ("active", .array(active.map { $0.json(position: queue.position($0), withRequest: true) })),
        ("jobs", .array(records)),
      ]))
  }

  private func show(_ call: Call) async throws -> Response {
    let id = call.parameters["id"] ?? ""
    if let job = services.queue[id], !job.isSettled {
      return .json(job.json(position: services.queue.position(job), withRequest: true))
    }
    let services = services
    guard let record = try await Offload.run({ try services.store.record(id) }) else { throw APIError(404, "there is no job of that id") }
    return .json(record)
  }

  /// Cancels a job, or forgets one that is over.
  private func remove(_ call: Call) async throws -> Response {
    let id = call.parameters["id"] ?? ""
    if services.queue.cancel(id) == true { return .json(.fields([("cancelled", .bool(true))])) }
    let services = services
    guard try await Offload.run({ try services.store.record(id) }) != nil else { throw APIError(404, "there is no job of that id") }
    try await Offload.run { try services.store.remove(id) }
    services.queue.forget(id)
    return .json(.fields([("removed", .bool(true))]))
  }

  private func events(_ call: Call) async throws -> Response {
    let id = call.parameters["id"] ?? ""
    guard let job = services.queue[id] else {
      // What is long over has one event.
      let services = services
      guard let record = try await Offload.run({ try services.store.record(id) }) else { throw APIError(404, "there is no job of that id") }
      let (stream, out) = AsyncStream<String>.makeStream()
      out.yield(EventStream.text("done", record))
      out.finish()
      return EventStream.response(stream)
    }
    let last = (call.request.headers[.lastEventID] ?? call.query("last-event-id")).flatMap { Int($0) } ?? 0
    let (stream, out) = AsyncStream<String>.makeStream()
    let forward = Task {
      for await event in job.events.subscribe(after: last) {
        out.yield(EventStream.text(event.name, event.data, id: event.id))
      }
      out.finish()
    }
    out.onTermination = { _ in forward.cancel() }
    return EventStream.response(stream)
  }

  /// The last preview; of a job that has drawn, its last picture, as that is what became of the preview.
  private func preview(_ call: Call) async throws -> Response {
    let id = call.parameters["id"] ?? ""
    let now = services.queue[id]?.current
    var data = now?.preview
    if data == nil {
      let (store, drawn) = (services.store, now?.pictures.last?.id)
      data = try await Offload.run {
        let last = try drawn ?? store.record(id)?["result"]?["pictures"]?.array?.last?["id"]?.string
        return try last.flatMap { try store.picture($0) }
      }
    }
    guard let data else { throw APIError(404, "that job has no picture yet, and no preview") }
    return .bytes(data, "image/png", headers: [.cacheControl: "no-store"])
  }

  private func picture(_ call: Call) async throws -> Response {
    var id = call.parameters["id"] ?? ""
    if id.hasSuffix(".png") { id.removeLast(4) }
    let (store, name) = (services.store, id)
    guard let data = try await Offload.run({ try store.picture(name) }) else { throw APIError(404, "there is no picture of that id") }
    return .bytes(
      data, "image/png",
      headers: [.cacheControl: "private, max-age=31536000, immutable", .contentDisposition: "inline; filename=\"\(id).png\""])
  }

  private func health() -> Response {
    let running = services.queue.running
    return .json(
      .fields([
        ("status", .string("ok")), ("running", running.map { .string($0.id) } ?? .null),
        ("waiting", .int(services.queue.waitingCount)),
      ]))
  }

  // MARK: Scenes

  private func coverage(_ call: Call) async throws -> Response {
    let fields = try await call.json()
    let services = services
    return .json(try await Offload.run { try SceneCoverage.json(fields, services) })
  }

  private func settings(_ call: Call) async throws -> Response {
    let fields = try await call.json()
    guard let text = try fields.string("image") else { throw APIError.field("image", "expected a picture as base64") }
    let services = services
    return .json(try await Offload.run { try PictureScene.json(UploadedPicture.data(text, field: "image"), services) })
  }

  private func commandLine(_ call: Call) async throws -> Response {
    let fields = try await call.json()
    let request = try DrawFields.request(fields, services)
    guard request.picture.image == nil else {
      throw APIError.field("init_image", "on a command line the picture is a file: save it, and give it with --init-img")
    }
    let model = try services.catalog.find(fields.string("model") ?? services.settings.model)
    let line = SampleCommandLine(request, model: model.path == nil ? nil : model.id)
    return .json(
      .fields([("command", .string(line.text)), ("scene", line.scene.map(JSONValue.array) ?? .null)]))
  }

  private func catalog() async throws -> Response {
    let services = services
    return .json(try await Offload.run { try NativeCatalog.json(services) })
  }
}
