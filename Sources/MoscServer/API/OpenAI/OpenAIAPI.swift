import Foundation
import Hummingbird
import MoscFormats
import MoscImages
import MoscReport
import MoscSample

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

  /// Draws a picture anew, or the part of it where a mask is transparent.
  private func edit(_ call: Call) async throws -> Response {
    try await call.request.body.consumeWithCancellationOnInboundClose { body in
      let asked = try self.edited(call, await call.data(body))
      let job = try await self.services.submit(
        asked.request, echo: asked.echo, previewInterval: asked.previewInterval
      ).job
      if asked.streams { return OpenAIResponse(asked, job, self.services).stream("image_edit").closing }
      try await self.services.queue.wait(for: job)
      return try await OpenAIResponse(asked, job, self.services).response().closing
    }
  }

  private func edited(_ call: Call, _ data: Data) throws -> OpenAIRequest {
    guard call.mediaType == "multipart/form-data", let type = call.request.headers[.contentType] else {
      throw APIError(400, "expected multipart/form-data", kind: "invalid_body")
    }
    let form = try Multipart(data, contentType: type)
    let pictures = form.parts.filter { ["image", "image[]"].contains($0.name) }
    guard let first = pictures.first else {
      throw APIError(400, "expected a picture", field: "image", kind: "missing_required_parameter")
    }
    let images = try pictures.map { try UploadedPicture.image($0.data, field: $0.name) }
    guard images.count == 1 else {
      throw APIError(400, "\(images.count) pictures, one is edited", field: first.name, kind: "invalid_value")
    }
    let mask = try form["mask"].map { try UploadedPicture.image($0.data, field: "mask") }
    var asked = try OpenAIRequest(Self.fields(form), services)
    asked.request.picture = try InitialPicture.edit(images[0], mask: mask)
    // Without a size the picture keeps its own, in whole latents.
    if asked.request.width == nil {
      asked.request.width = max(8, images[0].width / 8 * 8)
      asked.request.height = max(8, images[0].height / 8 * 8)
    }
    return asked
  }

  /// The texts of a form as JSON, in which numbers and truth values stand as such.
  private static func fields(_ form: Multipart) -> JSONFields {
    let numbers: Set<String> = ["n", "partial_images"]
    return JSONFields(
      form.parts.filter { !["image", "image[]", "mask"].contains($0.name) && $0.fileName == nil }.map { part in
        let text = part.text
        if numbers.contains(part.name), let number = Int(text) { return .init(part.name, .int(number)) }
        if part.name == "stream" { return .init(part.name, .bool(text.lowercased() == "true")) }
        if part.name == "mosc", let value = try? JSONValue.parse(text.utf8, path: "mosc") { return .init("mosc", value) }
        return .init(part.name, .string(text))
      })
  }
}
