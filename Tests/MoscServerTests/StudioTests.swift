import Foundation
import MoscFormats
import MoscImages
import MoscReport
import MoscServer
import TestSupport
import Testing

/// The page's parts, and what it asks the server for.
@Suite struct StudioTests {
  private let server: TestServer

  init() throws { server = try TestServer.shared.get() }

  @Test func thePageIsWholeAndAsksNobodyElse() throws {
    let page = try server.send("GET", "/")
    #expect(page.status == 200 && page.headers["content-type"] == "text/html; charset=utf-8")
    for (name, type, bytes) in StudioPage.files where name != "index.html" {
      let part = try server.send("GET", "/studio/\(name)")
      #expect(part.status == 200 && part.headers["content-type"] == type && part.body == Data(bytes))
      // Other places are named by nothing but an XML namespace.
      let text = part.text.replacing("http://www.w3.org/2000/svg", with: "")
      #expect(!text.contains("http://") && !text.contains("https://"), "\(name)")
      for imported in part.text.matches(of: /from "\.\/([^"]+)"/) {
        #expect(StudioPage.files.contains { $0.name == imported.1 }, "\(name) imports \(imported.1)")
      }
      #expect(part.text.split(separator: "\n", omittingEmptySubsequences: false).count < 320, "\(name)")
    }
    for part in page.text.matches(of: /(?:src|href)="\/studio\/([^"]+)"/) {
      #expect(StudioPage.files.contains { $0.name == part.1 })
    }
    #expect(!page.text.contains("style=") && !page.text.contains("onclick"))
  }

  @Test func theDocumentListsEveryRoute() throws {
    let document = try server.send("GET", "/mosc/v1/openapi.json").json
    #expect(document["openapi"]?.string == "3.1.0")
    var listed: Set<String> = []
    for path in document["paths"]?.members ?? [] {
      for operation in path.value.members ?? [] {
        listed.insert("\(operation.key.uppercased()) \(path.key)")
        #expect(operation.value["summary"]?.string?.isEmpty == false && operation.value["responses"] != nil)
        for name in path.key.matches(of: /\{(\w+)\}/) {
          #expect(operation.value["parameters"]?.array?.contains { $0["name"]?.string == String(name.1) } == true, "\(path.key)")
        }
      }
    }
    var options = ServerOptions()
    let scratch = Scratch()
    options.output = scratch.path("outputs")
    let routes = Set(try RunningServer.routes(options).map { $0.replacing(/\ \/studio\/.*/, with: " /studio/{file}") })
    #expect(listed == routes)
    // Every reference leads somewhere.
    for match in document.description.matches(of: /#\/components\/schemas\/(\w+)/) {
      #expect(document["components"]?["schemas"]?[String(match.1)] != nil)
    }
  }

  @Test func thereIsSomethingToChoose() throws {
    let catalog = try server.send("GET", "/mosc/v1/catalog").json
    let model = try #require(catalog["models"]?[0])
    #expect(model["name"]?.string == "mosc-base" && model["size"]?.int ?? 0 >= 64)
    #expect(model["words"]?.members?.isEmpty == false)
    #expect(catalog["samplers"]?.array?.contains(.string("Euler a")) == true)
  }

  @Test func coverageIsThatOfThePicture() throws {
    let reply = try server.send(
      "POST", "/mosc/v1/coverage",
      json: "{\"width\":64,\"height\":64,\"regions\":[{\"box\":[0,0,0.5,1],\"prompt\":\"x\"},{\"box\":[0.99,0.99,1,1],\"prompt\":\"y\"}]}")
    #expect(reply.status == 200, "\(reply.text)")
    let (width, height) = try (#require(reply.json["width"]?.int), #require(reply.json["height"]?.int))
    let shares = try #require(reply.json["shares"]?.array)
    #expect(shares.count == 3)
    #expect(shares[0].array?.count == width * height)
    #expect(shares[1][0]?.int == 1000 && shares[0][0]?.int == 0 && shares[0][width - 1]?.int == 1000)
    #expect(reply.json["uncovered"]?.double == 0.5)
    // The second one is too small for any cell.
    #expect(reply.json["levels"]?.array?.allSatisfy { $0["cells"]?[1]?.int == 0 } == true)
  }

  @Test func aPictureGivesItsSceneBack() throws {
    let order = "{\"prompt\":\"on grass\",\"negative_prompt\":\"blurry\",\"width\":64,\"height\":64,\"steps\":2,\"seed\":\"18446744073709551615\",\"cfg_scale\":3.5,\"sampler\":\"Euler\",\"regions\":[{\"name\":\"left\",\"box\":[0,0,0.5,1],\"prompt\":\"a fox\",\"weight\":0.75}]}"
    let job = try server.finish(order)
    let url = try #require(job["result"]?["pictures"]?[0]?["url"]?.string, "\(job)")
    let data = try server.send("GET", url).body
    let reply = try server.send(
      "POST", "/mosc/v1/settings-of-picture", json: "{\"image\":\"\(data.base64EncodedString())\"}")
    let scene = try #require(reply.json["scene"], "\(reply.text)")
    #expect(scene["prompt"]?.string == "on grass" && scene["negative_prompt"]?.string == "blurry")
    #expect(scene["seed"]?.string == "18446744073709551615" && scene["cfg_scale"]?.double == 3.5)
    #expect(scene["sampler"]?.string == "Euler" && scene["model"]?.string == "mosc-base")
    #expect(scene["regions"]?[0]?["name"]?.string == "left" && scene["regions"]?[0]?["weight"]?.double == 0.75)
  }

  /// Regions that no option can hold come as a file beside the command.
  @Test func theCopiedCommandDrawsMasksToo() throws {
    let mask = PixelImage(width: 64, height: 64, channels: 1, pixels: (0..<64 * 64).map { $0 % 64 < 24 ? 255 : 0 })
    let data = "data:image/png;base64,\(try PNG.encode(mask).base64EncodedString())"
    let order = "{\"prompt\":\"on grass\",\"width\":64,\"height\":64,\"steps\":2,\"seed\":\"9\",\"batch_count\":2,\"regions\":[{\"mask\":\"\(data)\",\"prompt\":\"a fox\"}]}"
    let copied = try server.send("POST", "/mosc/v1/command-line", json: order).json
    let command = try #require(copied["command"]?.string)
    let job = try server.finish(order)
    let scratch = Scratch()
    try scratch.write("scene.json", JSONValue.fields([("regions", copied["scene"] ?? .null)]).description)
    let outcome = try MoscProgram.run(
      "/bin/sh", ["-c", "'\(MoscProgram.url.path)'\(command.dropFirst(4)) -q -o picture%d.png"], in: scratch)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let drawn = try scratch.names.filter { $0.hasSuffix(".png") }.map { try Data(contentsOf: scratch.url.appending(path: $0)) }
    let urls = (job["result"]?["pictures"]?.array ?? []).compactMap { $0["url"]?.string }
    #expect(try urls.map { try server.send("GET", $0).body } == drawn && drawn.count == 2)
  }

  @Test func theCopiedCommandDrawsTheSameBytes() throws {
    let order = "{\"prompt\":\"a fox's den\",\"width\":64,\"height\":64,\"steps\":2,\"seed\":\"9\",\"hires\":{\"scale\":1.5},\"seamless\":\"x\",\"regions\":[{\"box\":[0,0,0.5,1],\"prompt\":\"a fox; red\",\"feather\":8}]}"
    let command = try #require(try server.send("POST", "/mosc/v1/command-line", json: order).json["command"]?.string)
    let job = try server.finish(order)
    let url = try #require(job["result"]?["pictures"]?[0]?["url"]?.string, "\(job)")
    let scratch = Scratch()
    #expect(command.hasPrefix("mosc sample "))
    let line = "'\(MoscProgram.url.path)'\(command.dropFirst(4)) -q -o picture.png"
    let outcome = try MoscProgram.run("/bin/sh", ["-c", line], in: scratch)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let drawn = try Data(contentsOf: scratch.url.appending(path: "picture.png"))
    #expect(try server.send("GET", url).body == drawn)
  }
}
