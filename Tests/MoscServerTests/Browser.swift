import Foundation
import MoscFormats
import TestSupport

/// Headless Chromium, driven by the DevTools protocol over two pipes: JSON messages with a zero byte behind each.
final class Browser {
  private static let program = ["chromium", "chromium-browser", "google-chrome"]
    .flatMap { name in ["/usr/bin/\(name)", "/usr/local/bin/\(name)", "/snap/bin/\(name)"] }
    .first { FileManager.default.isExecutableFile(atPath: $0) }
  static let isThere = program != nil

  private let process = Process()
  private let scratch = Scratch()
  private let output: FileHandle
  private let input: FileHandle
  private var received = Data()
  private var number = 0
  private var session: String?

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Opens a page of these CSS pixels.
  init(width: Int, height: Int, scale: Int = 1) throws {
    guard let program = Self.program else { throw Failure(description: "there is no browser") }
    let (commands, answers) = (scratch.path("commands"), scratch.path("answers"))
    for pipe in [commands, answers] where mkfifo(pipe, 0o600) != 0 { throw Failure(description: "no pipe") }
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c",
      "exec '\(program)' --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars "
        + "--remote-debugging-pipe --user-data-dir='\(scratch.path("profile"))' 3<'\(commands)' 4>'\(answers)'",
    ]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    // The shell opens its ends in this order, too.
    guard let output = FileHandle(forWritingAtPath: commands), let input = FileHandle(forReadingAtPath: answers) else {
      throw Failure(description: "the browser does not read")
    }
    (self.output, self.input) = (output, input)
    let target = try call("Target.createTarget", [("url", .string("about:blank"))])["targetId"] ?? .null
    session = try call("Target.attachToTarget", [("targetId", target), ("flatten", .bool(true))])["sessionId"]?.string
    try call("Page.enable")
    try call(
      "Emulation.setDeviceMetricsOverride",
      [("width", .int(width)), ("height", .int(height)), ("deviceScaleFactor", .int(scale)), ("mobile", .bool(false))])
  }

  deinit {
    process.terminate()
    process.waitUntilExit()
  }

  /// The result of a command.
  @discardableResult func call(_ method: String, _ parameters: [(String, JSONValue)] = []) throws -> JSONValue {
    number += 1
    var message: [(String, JSONValue)] = [
      ("id", .int(number)), ("method", .string(method)), ("params", .object(parameters.map { .init($0.0, $0.1) })),
    ]
    if let session { message.append(("sessionId", .string(session))) }
    let text = JSONValue.object(message.map { .init($0.0, $0.1) }).description
    try output.write(contentsOf: Data(text.utf8) + [0])
    while true {
      let reply = try receive()
      guard reply["id"]?.int == number else { continue }
      if let error = reply["error"] { throw Failure(description: "\(method): \(error["message"]?.string ?? "")") }
      return reply["result"] ?? .null
    }
  }

  private func receive() throws -> JSONValue {
    while true {
      if let end = received.firstIndex(of: 0) {
        let message = received[..<end]
        received = Data(received[received.index(after: end)...])
        return try JSONValue.parse(message, path: "the browser")
      }
      let data = input.availableData
      if data.isEmpty { throw Failure(description: "the browser has ended") }
      received += data
    }
  }

  func open(_ address: String) throws { try call("Page.navigate", [("url", .string(address))]) }

  func reload() throws {
    // What tells that the page is ready must not be that of before.
    try run("delete document.body.dataset.ready")
    try call("Page.reload")
  }

  /// Runs the body of a function in the page.
  @discardableResult func run(_ script: String, _ arguments: [JSONValue] = []) throws -> JSONValue {
    let call = "(async function () {\(script)\n}).apply(null, \(JSONValue.array(arguments)))"
    let reply = try self.call(
      "Runtime.evaluate",
      [("expression", .string(call)), ("returnByValue", .bool(true)), ("awaitPromise", .bool(true)), ("userGesture", .bool(true))])
    if let error = reply["exceptionDetails"] {
      throw Failure(description: "\(error["exception"]?["description"]?.string ?? "\(error)"): \(script.prefix(80))")
    }
    return reply["result"]?["value"] ?? .null
  }

  /// Waits until an expression of the page is true.
  func wait(_ expression: String, seconds: Double = 120) throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
      // While a page loads there is nothing that could answer.
      if let value = try? run("return Boolean(\(expression))"), value == .bool(true) { return }
      if ContinuousClock.now > end { break }
      usleep(50_000)
    }
    let state = try run("return document.getElementById('status')?.textContent + ' / ' + document.getElementById('jobs')?.textContent")
    throw Failure(description: "it did not come: \(expression); the page says: \(state)")
  }

  // MARK: What people do

  func click(_ selector: String) throws {
    let place = try run(
      """
      const element = document.querySelector(arguments[0]);
      if (!element) throw new Error('there is no ' + arguments[0]);
      element.scrollIntoView({block: 'center', inline: 'center'});
      const bounds = element.getBoundingClientRect();
      return [bounds.left + bounds.width / 2, bounds.top + bounds.height / 2];
      """, [.string(selector)])
    let numbers = (place.array ?? []).compactMap(\.double)
    guard numbers.count == 2 else { throw Failure(description: "\(selector) is nowhere") }
    try drag([(numbers[0], numbers[1])])
  }

  /// Replaces the text of a field.
  func type(_ text: String, into selector: String) throws {
    try run(
      """
      const element = document.querySelector(arguments[0]);
      if (!element) throw new Error('there is no ' + arguments[0]);
      element.focus();
      element.select();
      """, [.string(selector)])
    try call("Input.insertText", [("text", .string(text))])
    try run("document.activeElement.blur()")
  }

  /// Presses keys one after another; those in `held` stay down meanwhile.
  func press(_ keys: [String], holding held: Set<String> = []) throws {
    let bits = ["Alt": 1, "Control": 2, "Shift": 8]
    let modifiers = held.reduce(0) { $0 | (bits[$1] ?? 0) }
    for key in keys {
      var fields: [(String, JSONValue)] = [("key", .string(key)), ("modifiers", .int(modifiers))]
      if let code = Self.codes[key] { fields += [("code", .string(key)), ("windowsVirtualKeyCode", .int(code))] }
      if modifiers & 3 == 0 {
        if key == "Enter" { fields.append(("text", .string("\r"))) }
        if key.count == 1 { fields.append(("text", .string(key))) }
      }
      try call("Input.dispatchKeyEvent", [("type", .string(fields.contains { $0.0 == "text" } ? "keyDown" : "rawKeyDown"))] + fields)
      try call("Input.dispatchKeyEvent", [("type", .string("keyUp"))] + fields.filter { $0.0 != "text" })
    }
  }

  private static let codes = [
    "Enter": 13, "Tab": 9, "Delete": 46, "ArrowRight": 39, "ArrowDown": 40, "ArrowLeft": 37, "ArrowUp": 38, "Escape": 27,
  ]

  /// Drags the mouse along places of the page; of one place it is a click.
  func drag(_ places: [(x: Double, y: Double)]) throws {
    func mouse(_ kind: String, _ place: (x: Double, y: Double), _ isDown: Bool) throws {
      try call(
        "Input.dispatchMouseEvent",
        [
          ("type", .string(kind)), ("x", .double(place.x)), ("y", .double(place.y)),
          ("button", .string(isDown || kind != "mouseMoved" ? "left" : "none")), ("buttons", .int(isDown ? 1 : 0)),
          ("clickCount", .int(kind == "mouseMoved" ? 0 : 1)),
        ])
    }
    guard let first = places.first, let last = places.last else { return }
    try mouse("mouseMoved", first, false)
    try mouse("mousePressed", first, true)
    for place in places.dropFirst() { try mouse("mouseMoved", place, true) }
    try mouse("mouseReleased", last, false)
  }

  /// The page as a PNG file, or as JPEG of a quality of 1…100.
  func screenshot(quality: Int? = nil) throws -> Data {
    let format: [(String, JSONValue)] =
      quality.map { [("format", .string("jpeg")), ("quality", .int($0))] } ?? [("format", .string("png"))]
    let value = try call("Page.captureScreenshot", format)["data"]
    guard let data = Data(base64Encoded: value?.string ?? "") else { throw Failure(description: "no screenshot") }
    return data
  }
}
