import Foundation
import MoscFormats
import MoscImages
import MoscServer
import TestSupport
import Testing

/// OpenAI's images API, as its client library uses it.
@Suite struct OpenAITests {
  private let server: TestServer

  init() throws { server = try TestServer.shared.get() }

  private func generate(_ fields: String) throws -> HTTPReply {
    try server.send("POST", "/v1/images/generations", json: "{\"prompt\":\"a fox, on grass\"\(fields)}")
  }

  private static let short = ",\"size\":\"64x64\",\"mosc\":{\"steps\":4,\"seed\":3}"

  @Test func modelsAreListed() throws {
    let reply = try server.send("GET", "/v1/models", headers: ["authorization": "Bearer sk-x"]).json
    #expect(reply["object"]?.string == "list")
    let model = try #require(reply["data"]?[0])
    #expect(model["id"]?.string == "mosc-base" && model["object"]?.string == "model" && model["created"]?.int ?? 0 > 0)
  }

  @Test func picturesCome() throws {
    let reply = try generate(Self.short + ",\"n\":2,\"model\":\"gpt-image-1\",\"quality\":\"high\",\"background\":\"auto\",\"user\":\"x\"")
    #expect(reply.status == 200, "\(reply.text)")
    #expect(reply.json["data"]?.array?.count == 2)
    #expect(reply.json["size"]?.string == "64x64")
    #expect(reply.json["usage"]?["total_tokens"]?.int == 0)
    let data = try #require(Data(base64Encoded: reply.json["data"]?[0]?["b64_json"]?.string ?? ""))
    #expect(try PNG.decode(data, path: "picture").image.width == 64)
    let jpeg = try generate(Self.short + ",\"output_format\":\"jpeg\"")
    let bytes = try #require(Data(base64Encoded: jpeg.json["data"]?[0]?["b64_json"]?.string ?? ""))
    #expect(bytes.starts(with: [0xff, 0xd8]))
    #expect(jpeg.json["output_format"]?.string == "jpeg")
    let url = try #require(try generate(Self.short + ",\"response_format\":\"url\"").json["data"]?[0]?["url"]?.string)
    #expect(try server.send("GET", url).status == 200)
  }

  @Test func streamsEndWithThePicture() throws {
    let reply = try generate(Self.short + ",\"stream\":true,\"partial_images\":2")
    #expect(reply.headers["content-type"] == "text/event-stream")
    let events = reply.text.components(separatedBy: "\n\n").compactMap { text -> JSONValue? in
      guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("data: ") }) else { return nil }
      return try? JSONValue.parse(line.dropFirst(6).utf8, path: "event")
    }
    let last = try #require(events.last)
    #expect(last["type"]?.string == "image_generation.completed")
    for key in ["b64_json", "background", "created_at", "output_format", "quality", "size", "usage"] { #expect(last[key] != nil) }
    let partial = events.filter { $0["type"]?.string == "image_generation.partial_image" }
    #expect(partial.count <= 2)
    #expect(partial.enumerated().allSatisfy { $1["partial_image_index"]?.int == $0 })
    #expect(reply.text.contains("event: image_generation.completed\n"))
  }

  @Test(arguments: [
    ("\"size\":\"big\"", "size"), ("\"size\":\"64x\"", "size"), ("\"n\":11", "n"), ("\"output_format\":\"webp\"", "output_format"),
    ("\"response_format\":\"x\"", "response_format"), ("\"partial_images\":4", "partial_images"), ("\"mosc\":{\"prompt\":\"x\"}", "mosc"),
    ("\"mosc\":{\"nothing\":1}", "nothing"), ("\"stream\":\"x\"", "stream"),
  ])
  func errorsNameTheParameter(_ field: String, _ name: String) throws {
    let reply = try generate(",\(field)")
    #expect(reply.status == 400)
    #expect(reply.json["error"]?["param"]?.string == name)
    #expect(reply.json["error"]?["type"]?.string == "invalid_request_error")
    // Clients would send it again, each time as a new job.
    #expect(reply.headers["x-should-retry"] == "false")
  }

  @Test func aPromptIsNeeded() throws {
    let reply = try server.send("POST", "/v1/images/generations", json: "{}")
    #expect(reply.status == 400 && reply.json["error"]?["param"]?.string == "prompt")
    #expect(try generate(",\"model\":\"nothing.safetensors\"").status == 404)
  }

  private func edit(_ parts: [(String, Data)]) throws -> HTTPReply {
    var body = Data()
    for (head, data) in parts { body += Data("--b\r\nContent-Disposition: form-data; \(head)\r\n\r\n".utf8) + data + Data("\r\n".utf8) }
    body += Data("--b--\r\n".utf8)
    return try server.send("POST", "/v1/images/edits", body, headers: ["content-type": "multipart/form-data; boundary=b"])
  }

  @Test func picturesAreEdited() throws {
    // Transparent on the right, where it is to be drawn anew.
    let pixels = (0..<64 * 64).flatMap { [200, 30, 30, $0 % 64 < 32 ? 255 : 0] as [UInt8] }
    let image = try PNG.encode(PixelImage(width: 64, height: 64, channels: 4, pixels: pixels))
    let parts = [
      ("name=\"prompt\"", Data("a fox, on grass".utf8)), ("name=\"image\"; filename=\"upload\"", image),
      ("name=\"n\"", Data("2".utf8)), ("name=\"mosc\"", Data("{\"steps\":4,\"seed\":3}".utf8)),
    ]
    let reply = try edit(parts)
    #expect(reply.status == 200, "\(reply.text)")
    #expect(reply.json["data"]?.array?.count == 2)
    let data = try #require(Data(base64Encoded: reply.json["data"]?[0]?["b64_json"]?.string ?? ""))
    let drawn = try PNG.decode(data, path: "picture").image
    #expect((0..<64).allSatisfy { drawn.pixels[($0 * 64 + 4) * 3] == 200 })
    let stream = try edit(parts + [("name=\"stream\"", Data("true".utf8)), ("name=\"partial_images\"", Data("1".utf8))])
    #expect(stream.text.contains("event: image_edit.completed\n"), "\(stream.text.prefix(300))")
    #expect(try edit(parts + [("name=\"image\"; filename=\"b\"", image)]).status == 400)
    #expect(try edit([("name=\"prompt\"", Data("x".utf8))]).json["error"]?["param"]?.string == "image")
    #expect(try edit([("name=\"image[]\"; filename=\"a\"", Data("<svg/>".utf8))]).status == 400)
  }
}
