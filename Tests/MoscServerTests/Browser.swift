import Foundation
import MoscFormats
import TestSupport

/// Headless Chromium, driven as the WebDriver standard says.
final class Browser {
  private static func program(_ names: [String]) -> String? {
    names.flatMap { name in ["/usr/bin/\(name)", "/usr/local/bin/\(name)", "/snap/bin/\(name)", "/usr/lib/chromium/\(name)"] }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  private static let chromium = program(["chromium", "chromium-browser", "google-chrome"])
  private static let driver = program(["chromedriver"])
  static let isThere = chromium != nil && driver != nil

  private let process = Process()
  private let port: Int
  private let scratch = Scratch()
  private var session = ""

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Opens a window whose page has these CSS pixels.
  init(width: Int, height: Int, scale: Int = 1) throws {
    guard let driver = Self.driver, let chromium = Self.chromium else { throw Failure(description: "there is no browser") }
    process.executableURL = URL(fileURLWithPath: driver)
    process.arguments = ["--port=0"]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    var text = ""
    while true {
      let data = output.fileHandleForReading.availableData
      if data.isEmpty { throw Failure(description: "chromedriver ended: \(text)") }
      text += String(decoding: data, as: UTF8.self)
      if text.contains("successfully on port") { break }
    }
    guard let found = text.firstMatch(of: /on port (\d+)/), let number = Int(found.1) else {
      throw Failure(description: "chromedriver names no port: \(text)")
    }
    port = number
    let arguments = [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
      "--user-data-dir=\(scratch.path("profile"))", "--window-size=\(width),\(height)", "--force-device-scale-factor=\(scale)",
    ]
    let options: JSONValue = .fields([
      ("binary", .string(chromium)), ("args", .array(arguments.map(JSONValue.string))),
    ])
    let reply = try call(
      "POST", "/session", .fields([("capabilities", .fields([("alwaysMatch", .fields([("goog:chromeOptions", options)]))]))]))
    session = reply["sessionId"]?.string ?? ""
    // The window has a frame that the page does not.
    let inner = try run("return [innerWidth, innerHeight, outerWidth, outerHeight]")
    let sizes = (inner.array ?? []).compactMap(\.double).map { Int($0) }
    if sizes.count == 4 {
      _ = try call(
        "POST", "/session/\(session)/window/rect",
        .fields([("width", .int(width + sizes[2] - sizes[0])), ("height", .int(height + sizes[3] - sizes[1]))]))
    }
  }

  deinit {
    _ = try? call("DELETE", "/session/\(session)")
    process.terminate()
    process.waitUntilExit()
  }

  /// The value that a command gives.
  @discardableResult func call(_ method: String, _ path: String, _ body: JSONValue? = nil) throws -> JSONValue {
    let data = body.map { Data($0.description.utf8) } ?? (method == "POST" ? Data("{}".utf8) : nil)
    let reply = try HTTPReply(
      port: port, method, path, data, ["content-type": "application/json", "host": "localhost:\(port)"])
    let value = reply.json["value"] ?? .null
    guard reply.status == 200 else {
      throw Failure(description: "\(path): \(value["error"]?.string ?? "\(reply.status)"): \(value["message"]?.string ?? "")")
    }
    return value
  }

  func open(_ address: String) throws { try call("POST", "/session/\(session)/url", .fields([("url", .string(address))])) }

  func reload() throws { try call("POST", "/session/\(session)/refresh") }

  /// Runs the body of a function in the page.
  @discardableResult func run(_ script: String, _ arguments: [JSONValue] = []) throws -> JSONValue {
    try call(
      "POST", "/session/\(session)/execute/sync", .fields([("script", .string(script)), ("args", .array(arguments))]))
  }

  /// Waits until an expression of the page is true.
  func wait(_ expression: String, seconds: Double = 60) throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while try run("return Boolean(\(expression))") != .bool(true) {
      if ContinuousClock.now > end {
        let state = try run("return document.getElementById('status').textContent + ' / ' + document.getElementById('jobs').textContent")
        throw Failure(description: "it did not come: \(expression); the page says: \(state)")
      }
      usleep(50_000)
    }
  }

  private func element(_ selector: String) throws -> String {
    let value = try call(
      "POST", "/session/\(session)/element", .fields([("using", .string("css selector")), ("value", .string(selector))]))
    return value.members?.first?.value.string ?? ""
  }

  func click(_ selector: String) throws { try call("POST", "/session/\(session)/element/\(try element(selector))/click") }

  /// Replaces the text of a field, as a person types it.
  func type(_ text: String, into selector: String) throws {
    let id = try element(selector)
    try call("POST", "/session/\(session)/element/\(id)/clear")
    try call("POST", "/session/\(session)/element/\(id)/value", .fields([("text", .string(text))]))
    try run("arguments[0].dispatchEvent(new Event('change', {bubbles: true}))", [reference(id)])
  }

  private func reference(_ id: String) -> JSONValue {
    .fields([("element-6066-11e4-a52e-4f735466cecf", .string(id))])
  }

  /// Presses keys one after another; those in `held` stay down meanwhile.
  func press(_ keys: [String], holding held: [String] = []) throws {
    var actions = held.map { key("keyDown", $0) }
    for one in keys { actions += [key("keyDown", one), key("keyUp", one)] }
    actions += held.reversed().map { key("keyUp", $0) }
    try perform("key", "keyboard", actions)
  }

  private func key(_ kind: String, _ value: String) -> JSONValue {
    .fields([("type", .string(kind)), ("value", .string(value))])
  }

  /// Drags the mouse along places of the page.
  func drag(_ places: [(x: Double, y: Double)]) throws {
    func move(_ place: (x: Double, y: Double)) -> JSONValue {
      .fields([
        ("type", .string("pointerMove")), ("duration", .int(20)), ("x", .int(Int(place.x.rounded()))), ("y", .int(Int(place.y.rounded()))),
      ])
    }
    func button(_ kind: String) -> JSONValue { .fields([("type", .string(kind)), ("button", .int(0))]) }
    guard let first = places.first else { return }
    try perform("pointer", "mouse", [move(first), button("pointerDown")] + places.dropFirst().map(move) + [button("pointerUp")])
  }

  private func perform(_ type: String, _ id: String, _ actions: [JSONValue]) throws {
    var source: [(String, JSONValue)] = [("type", .string(type)), ("id", .string(id)), ("actions", .array(actions))]
    if type == "pointer" { source.append(("parameters", .fields([("pointerType", .string("mouse"))]))) }
    try call("POST", "/session/\(session)/actions", .fields([("actions", .array([.fields(source)]))]))
  }

  /// The page as a PNG file.
  func screenshot() throws -> Data {
    let value = try call("GET", "/session/\(session)/screenshot")
    guard let data = Data(base64Encoded: value.string ?? "") else { throw Failure(description: "no screenshot") }
    return data
  }

  enum Key {
    static let control = "\u{E009}", shift = "\u{E008}", alt = "\u{E00A}", tab = "\u{E004}", enter = "\u{E007}"
    static let right = "\u{E014}", down = "\u{E015}", delete = "\u{E017}"
  }
}
