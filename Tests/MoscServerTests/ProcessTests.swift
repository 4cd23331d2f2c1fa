import Foundation
import MoscFormats
import MoscImages
import TestSupport
import Testing

/// `mosc serve` as a process: how it starts, ends and is killed.
@Suite struct ProcessTests {
  /// A running program with its port.
  private struct Running {
    let process = Process()
    let port: Int

    init(_ scratch: Scratch, _ arguments: String...) throws {
      let output = Pipe()
      process.executableURL = MoscProgram.url
      process.arguments = ["serve", "--port", "0", "--output-dir", scratch.path("outputs")] + arguments
      process.standardOutput = output
      process.standardError = FileHandle.nullDevice
      try process.run()
      let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
      let port = line.firstMatch(of: /http:\/\/127\.0\.0\.1:(\d+)\//).flatMap { Int($0.1) }
      self.port = try #require(port, "\(line)")
    }

    func send(_ method: String, _ path: String, json: String? = nil) throws -> HTTPReply {
      try HTTPReply(
        port: port, method, path, json.map { Data($0.utf8) }, json == nil ? [:] : ["content-type": "application/json"])
    }
  }

  private static let long =
    "{\"prompt\":\"a fox, on grass\",\"width\":64,\"height\":64,\"steps\":4,\"seed\":1,\"batch_count\":64}"

  @Test func aKillLeavesNothingHalfWritten() throws {
    let scratch = Scratch()
    let first = try Running(scratch)
    let id = try #require(try first.send("POST", "/mosc/v1/jobs", json: Self.long).json["id"]?.string)
    let waiting = try #require(try first.send("POST", "/mosc/v1/jobs", json: Self.long).json["id"]?.string)
    for _ in 0..<6000 {
      let drawn = try first.send("GET", "/mosc/v1/jobs/\(id)").json["result"]?["pictures"]?.array?.count ?? 0
      if drawn > 1 { break }
      usleep(20_000)
    }
    kill(first.process.processIdentifier, SIGKILL)
    first.process.waitUntilExit()

    let second = try Running(scratch)
    defer { second.process.terminate() }
    for job in [id, waiting] {
      let record = try second.send("GET", "/mosc/v1/jobs/\(job)").json
      #expect(record["status"]?.string == "failed")
      #expect(record["error"]?.string?.isEmpty == false)
    }
    var pictures = 0
    let folder = scratch.url.appending(path: "outputs")
    for case let name as String in try #require(FileManager.default.enumerator(atPath: folder.path)) {
      let data = try? Data(contentsOf: folder.appending(path: name))
      if name.hasSuffix(".png"), let data {
        #expect(try PNG.decode(data, path: name).image.width == 64)
        pictures += 1
      }
      if name.hasSuffix(".json"), let data { #expect(try JSONValue.parse(data, path: name).members != nil) }
    }
    #expect(pictures >= 2)
    #expect(try second.send("GET", "/mosc/v1/pictures/\(id)").status == 200)
  }

  @Test func aSignalEndsItInOrder() throws {
    let scratch = Scratch()
    let running = try Running(scratch)
    let id = try #require(try running.send("POST", "/mosc/v1/jobs", json: Self.long).json["id"]?.string)
    running.process.terminate()
    running.process.waitUntilExit()
    #expect(running.process.terminationReason == .exit && running.process.terminationStatus == 0)
    let next = try Running(scratch)
    defer { next.process.terminate() }
    #expect(try next.send("GET", "/mosc/v1/jobs/\(id)").json["status"]?.string == "failed")
  }

  @Test func optionsAreChecked() throws {
    for (arguments, text) in [
      (["--listen", "0.0.0.0"], "--api-auth"), (["--port", "70000"], "--port"), (["--models", "/nowhere"], "no such folder"),
      (["--api-auth", "x"], "user:password"), (["-m", "/nowhere.safetensors"], "nowhere"),
    ] {
      let outcome = try MoscProgram.run(["serve"] + arguments, in: Scratch())
      #expect(outcome.status == (text == "nowhere" ? 1 : 2), "\(outcome.errors)")
      #expect(outcome.errors.contains(text), "\(outcome.errors)")
    }
  }
}
