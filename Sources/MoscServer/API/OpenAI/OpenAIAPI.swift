import Foundation
import Hummingbird
import MoscFormats
import MoscReport

/// OpenAI's images API. Source: the client library `openai` 3.57 for Python, what it sends and expects.
struct OpenAIAPI: Sendable {
  let services: Services

  init(_ services: Services) { self.services = services }

  var routes: [Route] {
    [
      Route(.get, "/v1/models") { _ in try await self.models() },
      Route(.post, "/v1/images/generations") { try await self.generate($0) },
      Route(.post, "/v1/images/edits") { try await self.edit($0) },
    ]
  }

  private func models() async throws -> Response {
    let services = services
    let list = try await Offload.run { try services.catalog.models() }
    let created = Int(services.started.timeIntervalSince1970)
    return .json(
      .fields([
        ("object", .string("list")),
        ("data", .array(list.map { model in
          .fields([
            ("id", .string(model.id)), ("object", .string("model")), ("created", .int(created)),
            ("owned_by", .string("mosc")),
          ])
        })),
      ]))
  }

  private func generate(_ call: Call) async throws -> Response {
    try await call.request.body.consumeWithCancellationOnInboundClose { body in
      let asked = try OpenAIRequest(await call.json(body), self.services)
      let job = try await self.services.submit(
        asked.request, echo: asked.echo, previewInterval: asked.previewInterval
      ).job
      if asked.streams { return OpenAIResponse(asked, job, self.services).stream("image_generation").closing }
      try await self.services.queue.wait(for: job)
      return try await OpenAIResponse(asked, job, self.services).response().closing
    }
  }

  /// Reads the form, so that what is wrong with it is told before that nothing edits pictures here.
  private func edit(_ call: Call) async throws -> Response {
    let data = try await call.data()
    guard call.mediaType == "multipart/form-data", let type = call.request.headers[.contentType] else {
      throw APIError(400, "expected multipart/form-data", kind: "invalid_body")
    }
    let form = try Multipart(data, contentType: type)
    guard form.parts.contains(where: { ["image", "image[]"].contains($0.name) }) else {
      throw APIError(400, "expected a picture", field: "image", kind: "missing_required_parameter")
    }
    for part in form.parts where ["image", "image[]", "mask"].contains(part.name) {
      _ = try UploadedPicture.image(part.data, field: part.name)
    }
    throw APIError(501, "pictures are not edited here yet", kind: "not_implemented")
  }
}
