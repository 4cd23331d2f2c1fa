import Foundation
import MoscFormats
import MoscImages
import TestSupport
import Testing

/// Units of the web UI's ControlNet extension, with small networks in the folder of models.
@Suite struct ControlNetUnitTests {
  private let server: TestServer
  private let picture: String

  init() throws {
    server = try Self.shared.get()
    // A light square on dark ground.
    let image = PixelImage(
      width: 64, height: 64,
      pixels: (0..<64 * 64).flatMap { place in
        [UInt8](repeating: (16..<48).contains(place % 64) && (16..<48).contains(place / 64) ? 220 : 30, count: 3)
      })
    picture = try PNG.encode(image).base64EncodedString()
  }

  private static let shared = Result {
    let scratch = Scratch()
    let models = URL(fileURLWithPath: scratch.path("models"))
    try FileManager.default.createDirectory(at: models.appending(path: "ControlNet"), withIntermediateDirectories: true)
    try GoldenNetworks.write(GoldenNetworks.controlNet(0), to: models.appending(path: "ControlNet/control_canny.safetensors"))
    try GoldenNetworks.write(GoldenNetworks.t2iAdapter(), to: models.appending(path: "t2i_sketch.safetensors"))
    return try TestServer("-m", Goldens.url("mix-of-show/base").path, "--models", models.path, in: scratch)
  }

  private func draw(_ units: String, _ fields: String = "", to path: String = "txt2img") throws -> HTTPReply {
    try server.send(
      "POST", "/sdapi/v1/\(path)",
      json: "{\"prompt\":\"a cat\",\"steps\":2,\"width\":64,\"height\":64,\"seed\":1\(fields),\"alwayson_scripts\":{\"controlNet\":{\"args\":[\(units)]}}}")
  }

  private func image(_ reply: HTTPReply) throws -> (pixels: [UInt8], texts: [(keyword: String, text: String)]) {
    let data = try #require(Data(base64Encoded: reply.json["images"]?[0]?.string ?? ""), "\(reply.text.prefix(300))")
    let (image, texts) = try PNG.decode(data, path: "picture")
    return (image.pixels, texts.map { ($0.keyword, $0.text) })
  }

  @Test func picturesAreFollowed() throws {
    let plain = try image(draw(""))
    let unit = "\"image\":\"\(picture)\",\"model\":\"control_canny [d14c016b]\""
    let followed = try image(
      draw("{\(unit),\"module\":\"canny\",\"threshold_a\":50,\"threshold_b\":150,\"weight\":0.9,\"guidance_end\":0.5,\"control_mode\":1,\"pixel_perfect\":true,\"mask\":null}"))
    #expect(followed.pixels != plain.pixels)
    let parameters = try #require(followed.texts.first { $0.keyword == "parameters" }?.text)
    #expect(parameters.contains("Module: canny, Model: control_canny, Weight: 0.9"))
    #expect(parameters.contains("Guidance End: 0.5, Control Mode: My prompt is more important"), "\(parameters)")
    let text = try #require(followed.texts.first { $0.keyword == "mosc" }?.text)
    let control = try #require(try JSONValue.parse(text.utf8, path: "mosc")["control"]?[0])
    #expect(control["preprocess"]?.string == "canny:50,150" && control["image"]?.string == "sent with the request")
    #expect(!text.contains(server.scratch.url.path) && text.utf8.count < 4000)
    // Units that are off or name nothing follow nothing.
    #expect(try image(draw("{\(unit),\"enabled\":false},{\"model\":\"None\",\"module\":\"none\"},null")).pixels == plain.pixels)
    // Without a picture of its own a unit follows the one that pictures begin with.
    let begun = ",\"init_images\":[\"\(picture)\"],\"denoising_strength\":1"
    let redrawn = try image(draw("{\"model\":\"control_canny\",\"module\":\"none\"}", begun, to: "img2img"))
    let own = try image(draw("{\(unit),\"module\":\"none\"}", begun, to: "img2img"))
    #expect(redrawn.pixels == own.pixels)
    #expect(try image(draw("", begun, to: "img2img")).pixels != own.pixels)
  }

  @Test func sketchAdaptersAreUnitsToo() throws {
    let plain = try image(draw(""))
    let unit = "\"image\":{\"image\":\"data:image/png;base64,\(picture)\",\"mask\":\"\"},\"model\":\"T2I_sketch\""
    #expect(try image(draw("{\(unit),\"module\":\"canny\",\"weight\":1}")).pixels != plain.pixels)
    let late = try draw("{\(unit),\"guidance_start\":0.2}")
    #expect(late.status == 422 && late.text.contains("guidance_start"))
  }

  @Test(arguments: [
    ("\"model\":\"control_dept\"", "control_dept"), ("\"model\":\"/etc/passwd\"", "model"),
    ("\"model\":\"None\",\"module\":\"canny\"", "model"), ("\"model\":\"control_canny\",\"module\":\"depth_midas\"", "module"),
    ("\"model\":\"control_canny\",\"weight\":9", "weight"), ("\"model\":\"control_canny\",\"guidance_start\":1", "guidance_end"),
    ("\"model\":\"control_canny\",\"control_mode\":7", "control_mode"), ("\"model\":\"control_canny\",\"resize_mode\":\"x\"", "resize_mode"),
    ("\"model\":\"control_canny\",\"effective_region_mask\":\"x\"", "effective_region_mask"),
    ("\"model\":\"control_canny\",\"advanced_weighting\":[1,2]", "advanced_weighting"), ("\"model\":\"control_canny\",\"colour\":1", "colour"),
  ])
  func otherUnitsAreRefusedByName(_ fields: String, _ named: String) throws {
    let reply = try draw("{\"image\":\"\(picture)\",\(fields)}")
    #expect(reply.status == 422, "\(reply.text)")
    #expect(reply.text.contains("ControlNet, unit 1") && reply.text.contains(named), "\(reply.text)")
  }

  @Test func unitsWithoutAPictureAreRefused() throws {
    let reply = try draw("{\"model\":\"control_canny\"}")
    #expect(reply.status == 422 && reply.text.contains("image"))
    for text in ["http://evil.test/x.png", "/etc/passwd"] {
      #expect(try draw("{\"model\":\"control_canny\",\"image\":\"\(text)\"}").status == 400)
    }
    #expect(try draw("5").status == 422)
  }

  @Test func clientsFindWhatThereIs() throws {
    let models = try server.send("GET", "/controlnet/model_list").json
    #expect(Set(models["model_list"]?.array?.compactMap(\.string) ?? []) == ["control_canny", "t2i_sketch"])
    let modules = try server.send("GET", "/controlnet/module_list").json
    #expect(modules["module_list"]?.array?.contains(.string("canny")) == true)
    #expect(modules["module_detail"]?["canny"]?["sliders"]?[1]?["value"]?.int == 100)
    let types = try server.send("GET", "/controlnet/control_types").json
    #expect(types["control_types"]?["All"]?["model_list"]?.array?.first == .string("None"))
    // They are none of the models that draw.
    let names = try server.send("GET", "/sdapi/v1/sd-models").json.array?.compactMap { $0["filename"]?.string }
    #expect(names?.contains { $0.contains("t2i") } == false)
    #expect(try server.send("GET", "/sdapi/v1/scripts").json["txt2img"]?.array?.contains(.string("controlnet")) == true)
  }
}
