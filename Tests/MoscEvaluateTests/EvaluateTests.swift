import Foundation
import MoscEngine
import MoscEvaluate
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample
import RunSupport
import Synchronization
import TestSupport
import Testing

/// `mosc evaluate` with a tiny random CLIP: what is equal looks equal to it, too.
@Suite(.serialized) struct EvaluateTests {
  private let scratch = Scratch()

  /// A picture of stripes that depend on a number.
  private func picture(_ number: Int, side: Int = 24) -> PixelImage {
    let pixels = (0..<side * side).flatMap { place -> [UInt8] in
      let (x, y) = (place % side, place / side)
      return [(x / (number + 1)) % 2, (y / (number + 2)) % 2, number % 2].map { UInt8($0 * 220 + 10) }
    }
    return PixelImage(width: side, height: side, pixels: pixels)
  }

  private func write(_ path: String, _ image: PixelImage, _ caption: String? = nil, _ more: String? = nil) throws {
    try scratch.write("\(path).png", try PNG.encode(image))
    if let caption { try scratch.write("\(path).txt", caption + "\n") }
    if let more { try scratch.write("\(path).json", more) }
  }

  private func request() -> EvaluateRequest {
    var request = EvaluateRequest()
    request.clip = Goldens.url("clip").path
    request.sample.compiler.cacheFolder = SharedKernels.folder
    request.sample.compiler.threads = 2
    return request
  }

  private func fault(_ request: EvaluateRequest) -> (status: MoscReport.ExitStatus, text: String)? {
    do {
      try EvaluateJob(request, .silent).run()
      return nil
    } catch {
      return (ExitStatus(error), String(describing: error))
    }
  }

  /// The judge that ships tells things it was shown little of from their classes.
  @Test func theJudgeThatShips() throws {
    let concepts = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "tools/base/concepts")
    for (name, kind) in [("poodle", "dog"), ("parrot", "bird"), ("teddy", "bear"), ("guitar", "rocket")] {
      for number in ["00", "01", "04", "05"] {
        let stem = "pictures/\(name)-\(number)"
        try scratch.write("\(stem).png", Data(contentsOf: concepts.appending(path: "\(name)/images/\(number).png")))
        let caption = try String(contentsOf: concepts.appending(path: "\(name)/captions/\(number).txt"), encoding: .utf8)
          .trimmingCharacters(in: .whitespacesAndNewlines)
        try scratch.write("\(stem).txt", caption.replacing("<TOK>", with: name))
        try scratch.write("\(stem).json", "{\"wrong\": {\"thing\": \"\(caption.replacing("<TOK>", with: kind))\"}}")
      }
    }
    var request = request()
    request.clip = nil
    request.pictures = scratch.path("pictures")
    let found = try #require(try EvaluateJob(request, .silent).evaluations().evaluations.first)
    #expect(found.count == 16)
    #expect(try #require(found["prefers.thing"]).estimate.mean >= 15.0 / 16)
    #expect(try #require(found["retrieval"]).estimate.mean >= 14.0 / 16)
  }

  @Test func picturesOfAFolder() throws {
    for number in 0..<4 {
      try write("refs/images/\(number)", picture(number))
      let mask = PixelImage(
        width: 24, height: 24, channels: 1, pixels: (0..<576).map { $0 % 24 < 12 ? 255 : 0 })
      try scratch.write("refs/masks/\(number).png", try PNG.encode(mask))
      // Two prompts, of each two equal pictures.
      try write(
        "pictures/\(number)", picture(number / 2), number < 2 ? "a <cat1> <cat2> in snow" : "a cat",
        #"{"wrong": {"sides": "a cat", "thing": "a dog"}}"#)
    }
    var request = request()
    request.pictures = scratch.path("pictures")
    request.references = scratch.path("refs")
    #expect(try #require(fault(request)).text.contains("--class"))
    request.className = "cat"
    let found = try #require(try EvaluateJob(request, .silent).evaluations().evaluations.first)
    #expect(found.count == 4)
    // Equal pictures of a prompt have no diversity, and each is one of the references.
    #expect(abs(try #require(found["diversity"]).estimate.mean) < 1e-6)
    #expect(try #require(found["copying"]).estimate.mean == 1)
    let first = try #require(found["image_alignment_first"])
    #expect(first.estimate.high > 1 - 1e-6 && first.estimate.mean < 1)
    #expect(try #require(first.paper) <= 1)
    let all = try #require(found["image_alignment"]).estimate
    let ceiling = try #require(found["reference_ceiling"]).estimate.mean
    #expect(-1...1 ~= ceiling && ceiling < 1)
    #expect(all.mean > ceiling - 0.5 && all.low <= all.mean && all.mean <= all.high)
    #expect(found["image_alignment_masked"] != nil)
    #expect(found["image_alignment_masked"]?.estimate != found["image_alignment"]?.estimate)
    let text = try #require(found["text_alignment"])
    #expect(-1...1 ~= text.estimate.mean)
    #expect(try #require(text.paper) >= 2.5 * max(0, text.estimate.mean) - 1e-9)
    #expect(found["retrieval"] != nil && found["prefers.thing"] != nil)
    // What is called wrong and is the caption itself is not preferred to it.
    #expect(try #require(found["prefers.sides"]).estimate.low == 0)
    #expect(found["leak"] == nil && found["held_out_loss"] == nil)

    // The same on the command line: a table, JSON and a sheet.
    request.sheet = scratch.path("sheet.png")
    request.printsJSON = true
    let lines = Mutex<[String]>([])
    let reporter = Reporter(
      verbosity: .quiet, sink: { _ in }, results: { text in lines.withLock { $0.append(text) } })
    try EvaluateJob(request, reporter).run()
    let printed = lines.withLock { $0 }
    #expect(printed.count == 2 && printed[1] == request.sheet.map { "\($0)\n" })
    let object = try JSONValue.parse(Array(printed[0].utf8), path: "json")
    let values = object["evaluations"]?.array?.first?["values"]
    #expect(values?["copying"]?["mean"]?.double == 1)
    #expect(values?["text_alignment"]?["paper"]?.double != nil)
    #expect(try ImageFile.read(URL(fileURLWithPath: scratch.path("sheet.png"))).height > 3 * 24)
  }

  /// Prompts come from settings and names, too.
  @Test func captionsOfPictures() throws {
    let image = picture(0)
    try write("a/a_cat---G_7.5_S0", image)
    let parameters = "a dog, at night\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 24x24"
    try PNG.write(image, texts: [("parameters", parameters)], to: URL(fileURLWithPath: scratch.path("a/b.png")))
    var request = request()
    request.pictures = scratch.path("a")
    let found = try #require(try EvaluateJob(request, .silent).evaluations().evaluations.first)
    #expect(found.count == 2)
    // Two captions: retrieval is between them, and one of two equal pictures is wrong.
    #expect(found["retrieval"]?.estimate.mean == 0.5)
    try write("a/nameless", image)
    let text = try #require(fault(request)).text
    #expect(text.contains("nameless.png") && text.contains("tells no prompt"))
  }

  @Test func regionsAreToldApart() throws {
    // Each half is a reference.
    for (number, name) in ["left", "right"].enumerated() {
      try write("\(name)/0", picture(number * 3))
      try write("\(name)/1", picture(number * 3))
    }
    var pixels: [UInt8] = []
    for y in 0..<24 {
      for half in [picture(0), picture(3)] { pixels += half.pixels[y * 72..<(y + 1) * 72] }
    }
    try write("pictures/0", PixelImage(width: 48, height: 24, pixels: pixels), "a cat")
    var request = request()
    request.pictures = scratch.path("pictures")
    request.concepts = try ["left", "right"].map { name in
      try #require(EvaluateRequest.Concept(spelling: "\(name)=\(scratch.path(name))"))
    }
    request.sample.regions.texts = ["box=0,0,0.5,1; prompt=a", "box=0.5,0,1,1; prompt=b"]
    let matrix = try #require(try EvaluateJob(request, .silent).evaluations().evaluations.first?.matrix)
    #expect(matrix.names == ["left", "right"])
    #expect(matrix.diagonal == 1)
    #expect(abs(matrix.rows[0][0] - 1) < 1e-6 && abs(matrix.rows[1][1] - 1) < 1e-6)
    #expect(matrix.rows[0][1] < 1 - 1e-6)
    request.sample.regions.texts.removeLast()
    let text = try #require(fault(request))
    #expect(text.status == .usage && text.text.contains("2 --concept for 1 regions"))
  }

  /// A concept against the model without it: leak, loss, choice and kept pictures.
  @Test func drawnPictures() throws {
    try scratch.write("prompts.txt", "# plain\na <TOK>\n\n# places\na <TOK> in the snow\n")
    for number in 0..<2 {
      try write("refs/\(number)", picture(number))
      try write("held/\(number)", picture(number, side: 64), "a <TOK>")
    }
    var request = request()
    request.promptFile = scratch.path("prompts.txt")
    request.references = scratch.path("refs")
    request.heldOut = scratch.path("held")
    request.className = "woman"
    request.keep = scratch.path("kept")
    request.sample.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    (request.sample.width, request.sample.height, request.sample.steps) = (64, 64, 1)
    request.sample.seeds = [1, 2]
    request.candidates = [AdapterRequest(path: RecordedRun.url("edlora_hina.pth").path)]
    request.strengths = [0.5, 1]
    let (found, choice) = try EvaluateJob(request, .silent).evaluations()
    #expect(found.map(\.name) == ["edlora_hina:0.5", "edlora_hina"])
    for evaluation in found {
      #expect(evaluation.count == 4)
      #expect(evaluation["text_alignment"] != nil)
      #expect(evaluation["leak"] != nil)
      #expect(try #require(evaluation["held_out_loss"]).estimate.mean > 0)
      #expect(evaluation.groups.map(\.title) == ["plain", "places"])
    }
    #expect(found[0]["held_out_loss"]?.estimate != found[1]["held_out_loss"]?.estimate)
    #expect(choice.map { $0.scores.count == 2 } ?? true)
    // Two candidates and the base, and the class alone of each.
    let kept = try FileManager.default.contentsOfDirectory(atPath: scratch.path("kept"))
    #expect(kept.count { $0.hasSuffix(".png") } == 3 * 4 + 3 * 2)
    let caption = try String(
      contentsOfFile: scratch.path("kept/edlora_hina-0002-1.txt"), encoding: .utf8)
    #expect(caption == "a woman in the snow\n")
  }

  @Test func probesAreDrawn() throws {
    try scratch.write("probes.json", #"[{"prompt": "a fox", "wrong": {"thing": "a cat"}}]"#)
    var request = request()
    request.probeFile = scratch.path("probes.json")
    request.sample.model = ModelOptions(precision: .f32)
    (request.sample.width, request.sample.height, request.sample.steps) = (64, 64, 1)
    request.sample.seeds = [1]
    let found = try #require(try EvaluateJob(request, .silent).evaluations().evaluations.first)
    #expect(found.name == "base" && found.count == 1)
    #expect([0, 1].contains(try #require(found["prefers.thing"]).estimate.mean))
    #expect(found["places"] == nil)
    try scratch.write("probes.json", #"[{"prompt": "a fox"}]"#)
    #expect(try #require(fault(request)).text.contains("[0]"))
    try scratch.write("probes.json", #"[{"prompt": "a fox", "wrong": {}, "regions": 1}]"#)
    #expect(try #require(fault(request)).text.contains("[0]: 'regions' is an integer"))
  }

  /// Each probe is drawn with its own regions, as `mosc sample` draws it with them.
  @Test func probesHaveRegions() throws {
    let regions = ["a fox", "a robot"].map { #"[{"box": [0, 0, 0.5, 1], "prompt": "\#($0)"}]"# }
    let probe = regions.map { #"{"prompt": "in the snow", "wrong": {}, "regions": \#($0)}"# }
    try scratch.write(
      "probes.json", "[\(probe[0]), \(probe[1]), {\"prompt\": \"in the snow\", \"wrong\": {}}]")
    var request = request()
    (request.probeFile, request.keep) = (scratch.path("probes.json"), scratch.path("kept"))
    request.sample.model = ModelOptions(precision: .f32)
    (request.sample.width, request.sample.height, request.sample.steps) = (64, 64, 1)
    (request.sample.seeds, request.sample.batchSize) = ([1, 2], 4)
    #expect(try EvaluateJob(request, .silent).evaluations().evaluations.first?.count == 6)
    request.sample.batchSize = 2
    let compiler = try Compiler(request.sample.compiler, precision: .f32, .silent)
    for (index, items) in try (regions.map { try JSONValue.parse(Data($0.utf8), path: "regions").array ?? [] } + [[]]).enumerated() {
      var sample = request.sample
      (sample.prompts, sample.regions.items) = (["in the snow"], items)
      for (seed, image) in try Sampler(try SamplePlan(sample), compiler).pictures().enumerated() {
        let kept = scratch.path("kept/base-000\(2 * index + seed)-\(seed + 1).png")
        #expect(try ImageFile.read(URL(fileURLWithPath: kept)) == image)
      }
    }
  }

  /// Halves of two colours that the judge knows, once as their captions say and once exchanged.
  @Test func partsShowWhatTheyAreToShow() throws {
    let side = 64
    let colours: [[UInt8]] = [[220, 40, 40], [70, 120, 220]]
    let parts = """
      {"parts": [{"box": [0, 0, 0.5, 1], "caption": "a red background", "wrong": "a blue background"},
                 {"box": [0.5, 0, 1, 1], "caption": "a blue background", "wrong": "a red background"}]}
      """
    for (name, first) in [("as said", 0), ("exchanged", 1)] {
      let pixels = (0..<side * side).flatMap { colours[$0 % side < side / 2 ? first : 1 - first] }
      try write("halves/\(name)", PixelImage(width: side, height: side, pixels: pixels), "two colours, \(name)", parts)
    }
    var request = request()
    request.clip = nil
    request.pictures = scratch.path("halves")
    let found = try #require(try EvaluateJob(request, .silent).evaluations().evaluations.first)
    #expect(try #require(found["places"]).estimate.mean == 0.5)
    try scratch.write("halves/exchanged.json", #"{"parts": [{"box": [0.5, 0, 0.2, 1], "caption": "a", "wrong": "b"}]}"#)
    #expect(try #require(fault(request)).text.contains("left < right"))
  }

  @Test func badInput() throws {
    func expectFault(
      _ words: String..., status: MoscReport.ExitStatus = .usage, _ change: (inout EvaluateRequest) -> Void
    ) {
      var request = request()
      change(&request)
      let found = fault(request)
      #expect(found?.status == status, "\(words)")
      for word in words { #expect(found?.text.contains(word) == true, "\(found?.text ?? "")") }
    }
    expectFault("--pictures", "--prompts") { _ in }
    expectFault("exclude") {
      $0.promptFile = "x"
      $0.probeFile = "y"
    }
    expectFault("are for drawing") {
      $0.pictures = "x"
      $0.promptFile = "y"
    }
    expectFault("--masks") {
      $0.pictures = "x"
      $0.masks = "y"
    }
    expectFault("--strength") {
      $0.promptFile = "x"
      $0.strengths = [1]
    }
    expectFault("--held-out") {
      $0.pictures = "x"
      $0.heldOut = "y"
    }
    expectFault(scratch.path("none"), status: .failure) { $0.pictures = scratch.path("none") }
    try scratch.write("empty/x.txt", "x")
    expectFault("holds no pictures", status: .failure) { $0.pictures = scratch.path("empty") }
    expectFault("no config.json", status: .failure) {
      $0.pictures = scratch.path("empty")
      $0.clip = scratch.path("empty")
    }
    try write("refs/0", picture(0))
    try scratch.write("masks/0.png", try PNG.encode(picture(0, side: 12)))
    expectFault("is 12×12, expected 24×24", status: .failure) {
      $0.pictures = scratch.path("refs")
      $0.references = scratch.path("refs")
      $0.masks = scratch.path("masks")
    }
    #expect(EvaluateRequest.Concept(spelling: "cat=") == nil)
    #expect(EvaluateRequest.Concept(spelling: "=x") == nil)
    #expect(EvaluateRequest.Concept(spelling: "cat=a=b")?.folder == "a=b")
  }
}
