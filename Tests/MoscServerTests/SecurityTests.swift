import Foundation
import MoscFormats
import MoscImages
import MoscReport
import TestSupport
import Testing

/// What web pages of others, and those who are not asked, must not be able to do.
@Suite struct SecurityTests {
  private let server: TestServer

  init() throws { server = try TestServer.shared.get() }

  @Test(arguments: ["evil.test", "evil.test:7860", "127.0.0.1.evil.test", "localhost.evil.test:80", "10.0.0.1", "[::2]:80"])
  func foreignNamesAreNotAnswered(_ host: String) throws {
    #expect(try server.send("GET", "/", headers: ["host": host]).status == 421)
    // As after DNS rebinding.
    let rebound = try server.send(
      "POST", "/sdapi/v1/interrupt", headers: ["host": host, "origin": "http://\(host)"])
    #expect(rebound.status == 421)
  }

  @Test(arguments: ["localhost", "127.0.0.1", "127.1.2.3", "LOCALHOST:80", "[::1]:7860"])
  func ownNamesAreAnswered(_ host: String) throws {
    #expect(try server.send("GET", "/healthz", headers: ["host": host]).status == 200)
  }

  @Test(arguments: [
    "http://evil.test", "null", "http://localhost.evil.test", "https://127.0.0.1", "http://127.0.0.1:1", "file://",
    "http://evil.test:80/127.0.0.1", "",
  ])
  func otherOriginsChangeNothing(_ origin: String) throws {
    guard !origin.isEmpty else {
      let site = try server.send("POST", "/sdapi/v1/interrupt", headers: ["sec-fetch-site": "cross-site"])
      #expect(site.status == 403)
      return
    }
    for path in ["/sdapi/v1/txt2img", "/mosc/v1/jobs", "/v1/images/generations"] {
      let reply = try server.send("POST", path, json: "{}", headers: ["origin": origin])
      #expect(reply.status == 403, "\(path)")
      #expect(!reply.headers.keys.contains { $0.hasPrefix("access-control") })
    }
    #expect(try server.send("DELETE", "/mosc/v1/jobs/x", headers: ["origin": origin]).status == 403)
    let preflight = try server.send(
      "OPTIONS", "/mosc/v1/jobs", headers: ["origin": origin, "access-control-request-method": "POST"])
    #expect(preflight.status == 403)
    #expect(!preflight.headers.keys.contains { $0.hasPrefix("access-control") })
  }

  @Test func theOwnOriginMay() throws {
    let origin = "http://127.0.0.1:\(server.port)"
    // Not `interrupt`: it would end the jobs of other tests.
    let reply = try server.send("POST", "/sdapi/v1/refresh-loras", headers: ["origin": origin, "sec-fetch-site": "same-origin"])
    #expect(reply.status == 200)
  }

  @Test(arguments: ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
  func bodiesThatPagesMaySendAreRefused(_ type: String) throws {
    let reply = try server.send(
      "POST", "/sdapi/v1/txt2img", Data("{\"prompt\":\"x\"}".utf8), headers: type.isEmpty ? [:] : ["content-type": type])
    #expect(reply.status == 403)
  }

  @Test func pagesLoadFromLinksOfOthers() throws {
    let reply = try server.send(
      "GET", "/", headers: ["sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"])
    #expect(reply.status == 200)
    #expect(reply.headers["content-security-policy"]?.contains("default-src 'self'") == true)
    #expect(reply.headers["content-security-policy"]?.contains("frame-ancestors 'none'") == true)
    #expect(reply.headers["referrer-policy"] == "no-referrer")
    #expect(reply.headers["x-content-type-options"] == "nosniff")
  }

  @Test(arguments: [
    "/mosc/v1/pictures/..%2f..%2fetc%2fpasswd", "/mosc/v1/pictures/%2e%2e%2f%2e%2e", "/studio/../../etc/passwd",
    "/studio/%2e%2e/Package.swift", "/mosc/v1/jobs/..", "/mosc/v1/pictures//etc/passwd", "/mosc/v1/pictures/x.svg",
    "//evil.test/", "/?next=http://evil.test",
  ])
  func noPathIsTaken(_ path: String) throws {
    let reply = try server.send("GET", path)
    #expect(path.hasPrefix("/?") ? reply.status == 200 : reply.status == 404)
    #expect(reply.headers["location"] == nil)
    #expect(!reply.text.contains("root:"))
  }

  @Test func linksInTheOutputAreNotFollowedByName() throws {
    let scratch = Scratch()
    try FileManager.default.createDirectory(atPath: scratch.path("outputs/2026-01-01"), withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: scratch.path("outputs/2026-01-01/secret.png"), withDestinationPath: "/etc/passwd")
    let server = try TestServer(in: scratch)
    #expect(try server.send("GET", "/mosc/v1/pictures/secret").status == 404)
  }

  @Test func namesOfModelsAndConceptsAreNoPaths() throws {
    for name in ["/etc/passwd", "../../etc/passwd", "%2e%2e/x", "a/b", ".hidden", "x\u{0}y"] {
      let text = JSONValue.string(name).description
      let draw = try server.send("POST", "/mosc/v1/jobs", json: "{\"prompt\":\"x\",\"model\":\(text)}")
      #expect([404, 422].contains(draw.status), "\(name)")
      let teach = try server.send("POST", "/mosc/v1/jobs", json: "{\"kind\":\"teach\",\"name\":\(text)}")
      #expect(teach.status == 422, "\(name)")
      let fuse = try server.send("POST", "/mosc/v1/jobs", json: "{\"kind\":\"fuse\",\"name\":\"x\",\"concepts\":[{\"name\":\(text)}]}")
      #expect((400..<500).contains(fuse.status), "\(name)")
      for reply in [draw, teach, fuse] { #expect(!reply.text.contains(server.scratch.url.path)) }
    }
    let tag = try server.send("POST", "/mosc/v1/jobs", json: "{\"prompt\":\"x <lora:../../../etc/passwd:1>\"}")
    #expect(tag.status == 400)
    #expect(!tag.text.contains(server.scratch.url.path), "\(tag.text)")
    let mask = try server.send(
      "POST", "/mosc/v1/jobs", json: "{\"prompt\":\"x\",\"regions\":[{\"prompt\":\"y\",\"mask\":\"/etc/passwd\"}]}")
    #expect(mask.status == 400)
  }

  @Test(arguments: [
    "http://127.0.0.1:1/x.png", "https://evil.test/x.png", "file:///etc/passwd", "ftp://x/y",
    "data:image/svg+xml;base64,PHN2Zy8+", "data:text/html;base64,PGI+", "PHN2ZyBvbmxvYWQ9YWxlcnQoMSkvPg==", "????", "",
  ])
  func picturesAreDecodedAndNeverFetched(_ text: String) throws {
    let reply = try server.send(
      "POST", "/sdapi/v1/png-info", json: JSONValue.fields([("image", .string(text))]).description)
    #expect(reply.status == 400)
  }

  /// A PNG of 65536 × 65536 pixels in a few bytes.
  private var bomb: Data {
    get throws {
      var data = try PNG.encode(PixelImage(width: 1, height: 1, pixels: [1, 2, 3]))
      data.replaceSubrange(16..<24, with: [0, 1, 0, 0, 0, 1, 0, 0])
      return data
    }
  }

  @Test func whatWouldNeedAllMemoryIsRefusedBefore() throws {
    let image = try bomb.base64EncodedString()
    #expect(try server.send("POST", "/sdapi/v1/png-info", json: "{\"image\":\"\(image)\"}").status == 400)
    for body in [
      "{\"steps\":1000000000}", "{\"width\":65536,\"height\":65536}", "{\"width\":4096,\"height\":4096}", "{\"steps\":NaN}",
      "{\"cfg_scale\":NaN}", "{\"cfg_scale\":1e400}", "{\"batch_size\":100000}", "{\"n_iter\":-1}", "{\"width\":-8}",
      "{\"batch_size\":16,\"n_iter\":64}", "{\"seed\":1e99}", String(repeating: "[", count: 100_000), "{\"a\":",
      "[]", "{\"prompt\":\"\\u0000\"}",
    ] {
      let reply = try server.send("POST", "/sdapi/v1/txt2img", json: body)
      #expect((400..<500).contains(reply.status), "\(body.prefix(60)): \(reply.status)")
    }
    let long = try server.send(
      "POST", "/sdapi/v1/txt2img", Data(), headers: ["content-type": "application/json", "content-length": "999999999999"])
    #expect(long.status == 413)
  }

  @Test func credentialsAreAsked() throws {
    let server = try TestServer("--api-auth", "ann:secret,bob:other")
    func status(_ header: String?) throws -> Int {
      try server.send("GET", "/sdapi/v1/samplers", headers: header.map { ["authorization": $0] } ?? [:]).status
    }
    func basic(_ text: String) -> String { "Basic " + Data(text.utf8).base64EncodedString() }
    let refused = try server.send("GET", "/")
    #expect(refused.status == 401)
    #expect(refused.headers["www-authenticate"]?.hasPrefix("Basic") == true)
    #expect(try status(basic("ann:secret")) == 200)
    #expect(try status(basic("bob:other")) == 200)
    #expect(try status("Bearer secret") == 200)
    for wrong in [nil, "", basic("ann:other"), basic("ann:"), basic("ann:secretsecret"), "Basic ???", "Bearer x", "Digest secret"] {
      #expect(try status(wrong) == 401)
    }
  }

  @Test func withoutCredentialsTheHeaderIsIgnored() throws {
    for header in ["Basic x", "''", "Bearer sk-anything"] {
      #expect(try server.send("GET", "/sdapi/v1/samplers", headers: ["authorization": header]).status == 200)
    }
  }

  @Test func aPortThatIsTakenIsAClearError() throws {
    let outcome = try MoscProgram.run("serve", "--port", "\(server.port)", "--output-dir", Scratch().path("outputs"))
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("is taken by another program"), "\(outcome.errors)")
  }
}
