import Foundation
import MoscFormats
import MoscImages
import MoscSample

/// A request to `/v1/images/generations`.
struct OpenAIRequest: Sendable {
  var request: SampleRequest
  let format: PictureFormat
  /// Whether pictures are given by their address.
  let givesAddresses: Bool
  let streams: Bool
  let partialImages: Int
  let quality: String
  let echo: JSONValue

  private static let mostCharacters = 32_000

  init(_ fields: JSONFields, _ services: Services) throws {
    guard let prompt = try fields.string("prompt") else {
      throw APIError(400, "Missing required parameter: 'prompt'.", field: "prompt", kind: "missing_required_parameter")
    }
    guard prompt.count <= Self.mostCharacters else {
      throw APIError(400, "the prompt has \(prompt.count) characters, at most \(Self.mostCharacters) are read", field: "prompt", kind: "string_above_max_length")
    }
    // What is particular to this program stands in an object of its own, under the names of its own API.
    let own = try fields.object("mosc") ?? JSONFields([])
    for name in ["prompt", "width", "height", "batch_count", "model"] where own[name] != nil {
      throw APIError(400, "mosc.\(name): give it as a parameter of this API", field: "mosc", kind: "invalid_value")
    }
    var asked = own.members + [.init("prompt", .string(prompt))]
    if let model = try fields.string("model"), !Self.isForeign(model) { asked.append(.init("model", .string(model))) }
    if let count = try fields.int("n", in: 1...10) { asked.append(.init("batch_count", .int(count))) }
    if let (width, height) = try Self.size(fields.string("size")) {
      asked += [.init("width", .int(width)), .init("height", .int(height))]
    }
    request = try DrawFields.request(JSONFields(asked), services)
    switch try fields.string("output_format") ?? "png" {
    case "png": format = .png
    case "jpeg", "jpg": format = .jpeg
    case let other: throw APIError(400, "output_format '\(other)': expected png or jpeg", field: "output_format", kind: "invalid_value")
    }
    switch try fields.string("response_format") ?? "b64_json" {
    case "b64_json": givesAddresses = false
    case "url": givesAddresses = true
    case let other: throw APIError(400, "response_format '\(other)': expected b64_json or url", field: "response_format", kind: "invalid_value")
    }
    streams = try fields.bool("stream") ?? false
    partialImages = try fields.int("partial_images", in: 0...3) ?? 0
    quality = try fields.string("quality").map { ["low", "medium", "high"].contains($0) ? $0 : "high" } ?? "high"
    echo = .object(fields.members)
  }

  /// The names that clients send when nobody chose one.
  private static func isForeign(_ model: String) -> Bool {
    ["", "mosc", "default"].contains(model) || model.hasPrefix("gpt-image") || model.hasPrefix("dall-e") || model.hasPrefix("chatgpt-image")
  }

  /// `WxH`; nil for the model's own.
  private static func size(_ text: String?) throws -> (Int, Int)? {
    guard let text, text != "auto" else { return nil }
    let numbers = text.split(separator: "x").compactMap { Int($0) }
    guard numbers.count == 2, numbers.allSatisfy(Limits.side.contains), text.split(separator: "x").count == 2 else {
      throw APIError(400, "size '\(text)': expected WIDTHxHEIGHT or auto", field: "size", kind: "invalid_value")
    }
    return (numbers[0], numbers[1])
  }

  /// Steps between previews, so that there are as many as were asked for.
  var previewInterval: Int {
    streams && partialImages > 0 ? max(1, request.steps / (partialImages + 1)) : 0
  }
}
