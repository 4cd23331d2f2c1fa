import Foundation
import Glibc
import MoscFormats
import Synchronization
import TestSupport

/// A server in a process of its own, on a free port, with a folder of its own.
///
/// Tests block the few threads on which a server in this process would answer.
final class TestServer: @unchecked Sendable {
  let scratch: Scratch
  let port: Int
  private let process = Process()
  /// The processes that end it when they end.
  private var serving: [Int32] = []

  convenience init(_ arguments: String..., in scratch: Scratch = Scratch()) throws {
    try self.init(arguments: arguments, in: scratch)
  }

  /// - Parameter launcher: starts two processes, of which the first one serves; nil for one without a launcher.
  init(arguments: [String], by launcher: MPILauncher? = nil, in scratch: Scratch = Scratch()) throws {
    self.scratch = scratch
    let output = Pipe()
    process.executableURL = launcher.map { URL(fileURLWithPath: $0.rawValue) } ?? MoscProgram.url
    process.arguments =
      (launcher.map { $0.start(2) + [MoscProgram.url.path] } ?? [])
      + ["serve", "--port", "0", "--output-dir", scratch.path("outputs")] + arguments
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard let found = line.firstMatch(of: /http:\/\/127\.0\.0\.1:(\d+)\//), let number = Int(found.1) else {
      process.terminate()
      throw HTTPReply.Failure(description: "the server names no address: \(line)")
    }
    port = number
    // Launchers do not pass signals on that threads of tests block.
    let id = process.processIdentifier
    let children = launcher == nil ? "" : try String(contentsOfFile: "/proc/\(id)/task/\(id)/children", encoding: .utf8)
    serving = launcher == nil ? [id] : children.split(separator: " ").compactMap { Int32($0) }
    Self.started.withLock { $0.formUnion(serving) }
  }

  deinit { stop() }

  /// Ends it as Ctrl-C does, or at once.
  @discardableResult func stop(_ signal: Int32 = SIGTERM) -> Int32 {
    if process.isRunning { for id in serving { kill(id, signal) } }
    process.waitUntilExit()
    Self.started.withLock { $0.subtract(serving) }
    return process.terminationReason == .exit ? process.terminationStatus : -1
  }

  /// Processes that run, which end with the tests: nobody lets go of what is shared.
  private static let started: Mutex<Set<Int32>> = {
    atexit { TestServer.started.withLock { for process in $0 { kill(process, SIGTERM) } } }
    return Mutex([])
  }()

  /// One for tests that change nothing that others look at.
  static let shared = Result { try TestServer() }

  /// The number of a metric.
  func metric(_ name: String) throws -> Int {
    let lines = try send("GET", "/metrics").text.split(separator: "\n")
    return lines.first { $0.hasPrefix("mosc_\(name) ") }.flatMap { Int($0.split(separator: " ")[1]) } ?? -1
  }


  /// Sends a request with these headers besides the usual ones.
  func send(
    _ method: String, _ path: String, _ body: Data? = nil, headers: [String: String] = [:]
  ) throws -> HTTPReply {
    try HTTPReply(port: port, method, path, body, headers)
  }

  /// Sends JSON.
  func send(_ method: String, _ path: String, json: String, headers: [String: String] = [:]) throws -> HTTPReply {
    try send(method, path, Data(json.utf8), headers: ["content-type": "application/json"].merging(headers) { $1 })
  }

  /// Submits a job and waits for its end.
  func finish(_ json: String) throws -> JSONValue {
    let job = try send("POST", "/mosc/v1/jobs", json: json)
    guard job.status == 202, let id = job.json["id"]?.string else { return job.json }
    _ = try send("GET", "/mosc/v1/jobs/\(id)/events")
    return try send("GET", "/mosc/v1/jobs/\(id)").json
  }
}

/// The answer to a request over a socket of its own.
struct HTTPReply {
  var status = 0
  var headers: [String: String] = [:]
  var body = Data()

  var text: String { String(decoding: body, as: UTF8.self) }
  var json: JSONValue { (try? JSONValue.parse(body, path: "the answer")) ?? .null }

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// A connection to the port.
  static func connect(_ port: Int) throws -> FileHandle {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      close(socket)
      throw Failure(description: "no connection to port \(port): \(String(cString: strerror(errno)))")
    }
    return FileHandle(fileDescriptor: socket, closeOnDealloc: true)
  }

  /// The bytes of a request that closes its connection.
  static func request(
    port: Int, _ method: String, _ path: String, _ body: Data?, _ headers: [String: String]
  ) -> Data {
    var all = ["host": "127.0.0.1:\(port)", "connection": "close"]
    if let body { all["content-length"] = "\(body.count)" }
    all.merge(headers) { $1 }
    let lines = all.filter { !$0.value.isEmpty }.map { "\($0.key): \($0.value)\r\n" }.sorted().joined()
    return Data("\(method) \(path) HTTP/1.1\r\n\(lines)\r\n".utf8) + (body ?? Data())
  }

  init(port: Int, _ method: String, _ path: String, _ body: Data?, _ headers: [String: String]) throws {
    let connection = try Self.connect(port)
    try connection.write(contentsOf: Self.request(port: port, method, path, body, headers))
    self.init(try connection.readToEnd() ?? Data())
  }

  /// Reads the bytes of an answer.
  init(_ data: Data) {
    guard let end = data.range(of: Data("\r\n\r\n".utf8)) else { return }
    let lines = String(decoding: data[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    for line in lines.dropFirst() {
      let pair = line.split(separator: ":", maxSplits: 1)
      if pair.count == 2 { headers[pair[0].lowercased()] = pair[1].trimmingCharacters(in: .whitespaces) }
    }
    body = Data(data[end.upperBound...])
    if headers["transfer-encoding"] == "chunked" { body = Self.joined(body) }
  }

  private static func joined(_ chunks: Data) -> Data {
    var result = Data()
    var rest = chunks[...]
    while let line = rest.range(of: Data("\r\n".utf8)) {
      let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16) ?? 0
      let end = line.upperBound + size
      if size == 0 || end > rest.endIndex { break }
      result += rest[line.upperBound..<end]
      rest = rest[min(end + 2, rest.endIndex)...]
    }
    return result
  }
}

extension JSONValue {
  /// The element of a list.
  subscript(index: Int) -> JSONValue? {
    guard let array, array.indices.contains(index) else { return nil }
    return array[index]
  }
}
