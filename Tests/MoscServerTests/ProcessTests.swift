import Foundation
import MoscFormats
import MoscImages
import TestSupport
import Testing

/// `mosc serve` as a process: how it starts, ends and is killed.
@Suite struct ProcessTests {
  private static let long =
    "{\"prompt\":\"a fox, on grass\",\"width\":64,\"height\":64,\"steps\":16,\"seed\":1,\"batch_count\":64}"

  @Test func aKillLeavesNothingHalfWritten() throws {
    let scratch = Scratch()
    let first = try TestServer(in: scratch)
    let id = try #require(try first.send("POST", "/mosc/v1/jobs", json: Self.long).json["id"]?.string)
    let waiting = try #require(try first.send("POST", "/mosc/v1/jobs", json: Self.long).json["id"]?.string)
    for _ in 0..<6000 {
      let drawn = try first.send("GET", "/mosc/v1/jobs/\(id)").json["result"]?["pictures"]?.array?.count ?? 0
      if drawn > 1 { break }
      usleep(20_000)
    }
    first.stop(SIGKILL)
    let second = try TestServer(in: scratch)
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
      // What was being written when it was killed has a name of its own, which nobody takes for a picture.
      let isKnown = [".png", ".json"].contains(where: name.hasSuffix) || data == nil || name.contains("/.mosc-")
      #expect(isKnown, "\(name)")
      if name.hasSuffix(".json"), let data { #expect(try JSONValue.parse(data, path: name).members != nil) }
    }
    #expect(pictures >= 2)
    #expect(try second.send("GET", "/mosc/v1/pictures/\(id)").status == 200)
  }

  @Test func aSignalEndsItInOrder() throws {
    let scratch = Scratch()
    let running = try TestServer(in: scratch)
    let id = try #require(try running.send("POST", "/mosc/v1/jobs", json: Self.long).json["id"]?.string)
    #expect(running.stop() == 0)
    let next = try TestServer(in: scratch)
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
