import Foundation
import MoscFormats
import MoscImages
import MoscReport
import TestSupport
import Testing

/// Jobs: their order, their ends, what is told of them, and what stays on disk.
@Suite struct JobTests {
  private static let fox =
    "{\"kind\":\"draw\",\"prompt\":\"a fox, on grass\",\"width\":64,\"height\":64,\"steps\":2,\"seed\":\"5\""

  @Test func aJobGoesFromTheQueueToAPicture() throws {
    let server = try TestServer.shared.get()
    let reply = try server.send("POST", "/mosc/v1/jobs", json: Self.fox + ",\"preview_every\":1}")
    #expect(reply.status == 202, "\(reply.text)")
    let id = try #require(reply.json["id"]?.string)
    #expect(reply.headers["location"] == "/mosc/v1/jobs/\(id)")
    let events = try server.send("GET", "/mosc/v1/jobs/\(id)/events")
    #expect(events.headers["content-type"] == "text/event-stream")
    #expect(events.text.contains("event: picture\n") && events.text.contains("event: done\n"))
    let job = try server.send("GET", "/mosc/v1/jobs/\(id)").json
    #expect(job["status"]?.string == "completed")
    #expect(job["progress"]?.double == 1)
    #expect(job["request"]?["prompt"]?.string == "a fox, on grass")
    let url = try #require(job["result"]?["pictures"]?[0]?["url"]?.string)
    // Whoever comes late for a preview finds what became of it.
    let preview = try server.send("GET", "/mosc/v1/jobs/\(id)/preview")
    #expect(preview.status == 200 && preview.headers["cache-control"] == "no-store")
    let picture = try server.send("GET", url)
    #expect(preview.body == picture.body)
    #expect(picture.headers["content-type"] == "image/png")
    #expect(try PNG.decode(picture.body, path: "picture").texts.contains { $0.keyword == "mosc" })
    // Whoever comes later gets the end alone, and nothing of what is known already.
    let last = try #require(events.text.matches(of: /id: (\d+)/).last?.1)
    let again = try server.send("GET", "/mosc/v1/jobs/\(id)/events", headers: ["last-event-id": String(last)])
    #expect(!again.text.contains("event: picture"))
    let listed = try server.send("GET", "/mosc/v1/jobs?limit=200").json
    #expect(listed["jobs"]?.array?.contains { $0["id"]?.string == id } == true)
  }

  @Test func fieldsAreNamedWhenTheyAreWrong() throws {
    let server = try TestServer.shared.get()
    for (body, field) in [
      ("{\"prompt\":\"x\",\"step\":3}", "step"), ("{\"prompt\":\"x\",\"steps\":0}", "steps"),
      ("{\"prompt\":\"x\",\"sampler\":\"none\"}", "sampler"), ("{\"kind\":\"paint\"}", "kind"),
      ("{\"prompt\":\"x\",\"regions\":5}", "regions"), ("{\"prompt\":\"x\",\"seed\":\"y\"}", "seed"),
      ("{\"kind\":\"teach\",\"name\":\"a/b\"}", "name"), ("{\"kind\":\"fuse\",\"name\":\"ab\",\"concepts\":[]}", "concepts"),
    ] {
      let reply = try server.send("POST", "/mosc/v1/jobs", json: body)
      #expect(reply.status == 422, "\(body)")
      #expect(reply.json["error"]?["field"]?.string == field)
    }
    #expect(try server.send("POST", "/mosc/v1/jobs", json: "{\"prompt\":\"x\",\"width\":13}").status == 400)
    #expect(try server.send("GET", "/mosc/v1/jobs/20260101-000000-000-abcdef").status == 404)
    #expect(try server.send("DELETE", "/mosc/v1/jobs/20260101-000000-000-abcdef").status == 404)
  }

  /// A job that ends only when it is told to, and some behind it.
  private func busy(_ server: TestServer, waiting: Int) throws -> (running: String, waiting: [String]) {
    let long = Self.fox.replacing("\"steps\":2", with: "\"steps\":400") + ",\"batch_count\":64}"
    let first = try #require(try server.send("POST", "/mosc/v1/jobs", json: long).json["id"]?.string)
    let others = try (0..<waiting).map { number in
      let job = try server.send("POST", "/mosc/v1/jobs", json: Self.fox + "}").json
      #expect(job["status"]?.string == "queued")
      #expect(job["queue_position"]?.int == number + 1 || job["queue_position"]?.int == number + 2)
      return try #require(job["id"]?.string)
    }
    return (first, others)
  }

  @Test func jobsThatWaitAndRunAreCancelled() throws {
    let server = try TestServer()
    let (running, waiting) = try busy(server, waiting: 2)
    #expect(try server.send("DELETE", "/mosc/v1/jobs/\(waiting[0])").json["cancelled"]?.bool == true)
    #expect(try server.send("GET", "/mosc/v1/jobs/\(waiting[0])").json["status"]?.string == "cancelled")
    #expect(try server.send("DELETE", "/mosc/v1/jobs/\(running)").json["cancelled"]?.bool == true)
    let done = try server.send("GET", "/mosc/v1/jobs/\(running)/events")
    #expect(done.text.contains("\"status\":\"cancelled\"") || done.text.contains("\"status\": \"cancelled\""))
    _ = try server.send("GET", "/mosc/v1/jobs/\(waiting[1])/events")
    #expect(try server.send("GET", "/mosc/v1/jobs/\(waiting[1])").json["status"]?.string == "completed")
    // What is over is forgotten with its pictures.
    let id = waiting[1]
    #expect(try server.send("DELETE", "/mosc/v1/jobs/\(id)").json["removed"]?.bool == true)
    #expect(try server.send("GET", "/mosc/v1/pictures/\(id)").status == 404)
    #expect(try server.send("GET", "/mosc/v1/jobs/\(id)").status == 404)
  }

  @Test func interruptGivesWhatThereIs() throws {
    let server = try TestServer()
    let connection = try HTTPReply.connect(server.port)
    let body = Data("{\"prompt\":\"a fox\",\"steps\":16,\"width\":64,\"height\":64,\"n_iter\":64,\"force_task_id\":\"task(1)\"}".utf8)
    try connection.write(contentsOf: HTTPReply.request(
      port: server.port, "POST", "/sdapi/v1/txt2img", body, ["content-type": "application/json"]))
    try wait { try server.send("GET", "/sdapi/v1/progress").json["state"]?["job_no"]?.int ?? 0 > 0 }
    let progress = try server.send("GET", "/sdapi/v1/progress").json
    #expect(progress["state"]?["job_count"]?.int == 64)
    #expect(progress["progress"]?.double ?? 0 > 0)
    #expect(progress["current_task"]?.string == "task(1)")
    #expect(try server.send("POST", "/internal/progress", json: "{\"id_task\":\"task(1)\"}").json["active"]?.bool == true)
    #expect(try server.send("POST", "/sdapi/v1/interrupt").json == .fields([]))
    let reply = HTTPReply(try connection.readToEnd() ?? Data())
    #expect(reply.status == 200, "\(reply.text.prefix(200))")
    let count = try #require(reply.json["images"]?.array?.count)
    #expect((1..<64).contains(count))
    for name in ["interrupt", "skip"] {
      #expect(try server.send("POST", "/sdapi/v1/\(name)").status == 200, "\(name) with nothing to do")
    }
  }

  /// Asks until something holds, at most two minutes.
  private func wait(_ holds: () throws -> Bool) throws {
    for _ in 0..<6000 {
      if try holds() { return }
      usleep(20_000)
    }
    Issue.record("it did not come")
  }

  @Test func aClosedConnectionCancelsItsJob() throws {
    let server = try TestServer()
    let body = Data("{\"prompt\":\"a fox\",\"steps\":400,\"width\":64,\"height\":64,\"n_iter\":64}".utf8)
    var connection: FileHandle? = try HTTPReply.connect(server.port)
    try connection?.write(contentsOf: HTTPReply.request(
      port: server.port, "POST", "/sdapi/v1/txt2img", body, ["content-type": "application/json"]))
    try wait { try server.send("GET", "/healthz").json["running"]?.string != nil }
    let id = try #require(try server.send("GET", "/healthz").json["running"]?.string)
    try connection?.close()
    connection = nil
    try wait { try server.send("GET", "/healthz").json["running"] == .null }
    #expect(try server.send("GET", "/mosc/v1/jobs/\(id)").json["status"]?.string == "cancelled")
  }

  @Test func aFullQueueTakesNoMore() throws {
    let server = try TestServer("--max-queue", "1")
    let (running, _) = try busy(server, waiting: 0)
    try wait { try server.send("GET", "/healthz").json["running"]?.string == running }
    #expect(try server.send("POST", "/mosc/v1/jobs", json: Self.fox + "}").status == 202)
    let full = try server.send("POST", "/mosc/v1/jobs", json: Self.fox + "}")
    #expect(full.status == 503)
    #expect(try server.send("GET", "/healthz").json["waiting"]?.int == 1)
  }

  @Test func aNewStartFindsWhatWasLeft() throws {
    let scratch = Scratch()
    let first = try TestServer(in: scratch)
    let done = try first.finish(Self.fox + "}")
    let id = try #require(done["id"]?.string)
    #expect(done["status"]?.string == "completed")
    first.stop()
    // As a kill leaves it: a job that was running.
    let day = "2026-01-02"
    let lost = "20260102-030405-006-0a0b0c"
    try scratch.write(
      "outputs/\(day)/\(lost).json", "{\"id\":\"\(lost)\",\"kind\":\"draw\",\"status\":\"running\",\"error\":null}\n")
    try scratch.write("outputs/\(day)/\(lost).png", Data(PNG.encode(PixelImage(width: 1, height: 1, pixels: [1, 2, 3]))))
    let second = try TestServer(in: scratch)
    let record = try second.send("GET", "/mosc/v1/jobs/\(lost)").json
    #expect(record["status"]?.string == "failed")
    #expect(record["error"]?.string?.contains("ended") == true)
    #expect(try second.send("GET", "/mosc/v1/pictures/\(lost)").status == 200)
    #expect(try second.send("GET", "/mosc/v1/jobs/\(id)").json["status"]?.string == "completed")
    #expect(try second.send("GET", "/mosc/v1/pictures/\(id)").status == 200)
    #expect(try second.send("GET", "/mosc/v1/jobs/\(lost)/events").text.contains("event: done"))
  }

  @Test func stoppingEndsWhatWaits() throws {
    let scratch = Scratch()
    let server = try TestServer(in: scratch)
    let (running, waiting) = try busy(server, waiting: 1)
    server.stop()
    let next = try TestServer(in: scratch)
    #expect(try next.send("GET", "/mosc/v1/jobs/\(waiting[0])").json["status"]?.string == "failed")
    #expect(try next.send("GET", "/mosc/v1/jobs/\(running)").json["status"]?.string == "failed")
  }

  @Test func theNextJobCompilesAndLoadsNothing() throws {
    let server = try TestServer()
    let region = "{\"box\":[0,0,0.5,1],\"prompt\":\"a fox\",\"weight\":1}"
    #expect(try server.finish(Self.fox + ",\"regions\":[\(region)]}")["status"]?.string == "completed")
    func metrics() throws -> [Int] {
      try ["compilations_total", "program_loads_total", "program_hits_total"].map(server.metric)
    }
    let before = try metrics()
    #expect(try server.metric("kept_programs") >= 3 && server.metric("kept_bytes") > 0)
    let moved = region.replacing("0.5", with: "0.75").replacing("\"weight\":1", with: "\"weight\":0.5")
    #expect(try server.finish(Self.fox + ",\"regions\":[\(moved)]}")["status"]?.string == "completed")
    let after = try metrics()
    #expect(after[..<2] == before[..<2])
    #expect(after[2] > before[2])
  }

  /// A server with the model of the goldens and two adapters for it.
  private func golden() throws -> TestServer {
    let scratch = Scratch()
    for name in ["moss", "ember"] {
      try scratch.write("loras/\(name).safetensors", Data(contentsOf: Goldens.url("region-lora/\(name).safetensors")))
    }
    return try TestServer(
      "-m", Goldens.url("mix-of-show/base").path, "--lora-dir", scratch.path("loras"), in: scratch)
  }

  @Test func strengthsAndMoreRegionsCompileNothing() throws {
    let server = try golden()
    func draw(_ prompt: String, _ regions: [String]) throws -> Int {
      let list = regions.enumerated().map { "{\"box\":[0,\(Double($0) / 8),1,1],\"prompt\":\"\($1)\"}" }.joined(separator: ",")
      let job = try server.finish("{\"prompt\":\"\(prompt)\",\"width\":64,\"height\":64,\"steps\":1,\"seed\":1,\"regions\":[\(list)]}")
      #expect(job["status"]?.string == "completed", "\(job)")
      return try server.metric("compilations_total")
    }
    let first = try draw("a cat <lora:moss:0.5>", ["a dog"])
    #expect(try draw("a cat <lora:moss:0.9>", ["a dog"]) == first)
    #expect(try draw("a cat <lora:moss:0.9>", ["a dog", "a bird"]) == first)
    // Those of regions are data of the same program, too.
    let regional = try draw("a cat", ["a dog <lora:moss:0.5>", "a bird <lora:ember:1>"])
    #expect(try draw("a cat", ["a dog <lora:moss:1.5>", "a bird <lora:ember:0.2>"]) == regional)
    #expect(try draw("a cat", ["a dog <lora:moss:1> <lora:ember:1>", "a bird"]) == regional)
    // Three regions are in the bucket of four.
    let three = try draw("a cat", ["a dog", "a bird", "a fox"])
    #expect(try draw("a cat", ["a dog", "a bird", "a fox", "a house"]) == three)
  }

  @Test func theNextJobBeginsAtOnce() throws {
    let server = try TestServer()
    _ = try server.finish(Self.fox + ",\"preview_every\":1}")
    // All but the first wait for the one before.
    let ids = try (0..<9).map { _ in
      try #require(try server.send("POST", "/mosc/v1/jobs", json: Self.fox.replacing("\"steps\":2", with: "\"steps\":8") + "}").json["id"]?.string)
    }
    for id in ids { _ = try server.send("GET", "/mosc/v1/jobs/\(id)/events") }
    let jobs = try ids.map { try server.send("GET", "/mosc/v1/jobs/\($0)").json }
    func time(_ job: JSONValue, _ key: String) throws -> Date {
      try Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(job[key]?.string ?? "")
    }
    var gaps: [Double] = []
    for (job, next) in zip(jobs, jobs.dropFirst()) {
      #expect(try time(next, "started") >= time(job, "finished"), "one at a time, in order")
      gaps.append(try time(next, "first_step").timeIntervalSince(time(job, "finished")))
    }
    // The quickest of them: whatever else this machine does meanwhile is no fault of the server.
    let gap = try #require(gaps.min())
    #expect(gap < 0.05, "\(gaps)")
  }

  @Test func regionsAreMeasuredWhenAskedFor() throws {
    let server = try TestServer.shared.get()
    // Measured in the last third of the steps.
    let order = Self.fox.replacing("\"steps\":2", with: "\"steps\":3") + ",\"regions\":[{\"name\":\"left\",\"box\":[0,0,0.5,1],\"prompt\":\"a robot\"}]"
    let measured = try server.finish(order + ",\"region_report\":true}")
    let report = try #require(measured["result"]?["region_report"], "\(measured)")
    #expect(report["words"]?.array?.contains { $0["word"]?.string == "robot" && $0["outside"]?.double ?? 0 > 0 } == true, "\(report)")
    // The picture is the one that is drawn without.
    let plain = try server.finish(order + "}")
    #expect(plain["result"]?["region_report"] == nil)
    let pictures = try [measured, plain].map {
      try server.send("GET", try #require($0["result"]?["pictures"]?[0]?["url"]?.string)).body
    }
    #expect(pictures[0] == pictures[1])
    let none = try server.send("POST", "/mosc/v1/jobs", json: Self.fox + ",\"region_report\":true}")
    #expect(none.status == 422 && none.json["error"]?["field"]?.string == "region_report")
  }

  @Test func numbersAreThereForMonitoring() throws {
    let server = try TestServer.shared.get()
    _ = try server.finish(Self.fox + "}")
    let text = try server.send("GET", "/metrics").text
    #expect(text.contains("mosc_jobs_total{kind=\"draw\",status=\"completed\"} "))
    #expect(text.contains("# TYPE mosc_kept_bytes gauge"))
  }
}
