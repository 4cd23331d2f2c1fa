import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// The prompt language in whole runs: what it draws, against the same by other ways.
@Suite(.serialized) struct PromptRunTests {
  private let scratch = Scratch()

  private func request(_ prompt: String, steps: Int = 1) -> SampleRequest {
    var request = SampleRequest()
    request.model.precision = .f32
    request.compiler.cacheFolder = SharedKernels.folder
    (request.prompt, request.negativePrompt) = (prompt, "a house")
    (request.steps, request.guidance, request.seeds) = (steps, 5, [3])
    request.sampler = SamplerName.Choice(.euler)
    request.output = scratch.path("picture.png")
    return request
  }

  /// The latents after every step.
  private func latents(_ request: SampleRequest) throws -> [[Float]] {
    var request = request
    request.trajectory = scratch.path("trajectory.safetensors")
    try SampleJob(request, .silent).run()
    let all = try #require(try TensorFile.read(scratch.path("trajectory.safetensors"))["latents"])
    return (0..<all.shape[0]).map { all.samples($0..<$0 + 1).floats }
  }

  /// A step of Euler is linear in the prediction, so `AND` can be computed from single predictions.
  @Test func compositionIsTheSumOfDirections() throws {
    func alone(_ text: String) throws -> [Float] {
      var request = request(text)
      request.guidance = 1
      return try latents(request)[0]
    }
    let (house, cat, ball) = (try alone("a house"), try alone("a cat"), try alone("a ball"))
    let composed = try latents(request("a cat:0.8 AND a ball:-0.5"))[0]
    let expected = house.indices.map { i in
      house[i] + 5 * (0.8 * (cat[i] - house[i]) - 0.5 * (ball[i] - house[i]))
    }
    #expect(Comparison.relative(composed, expected) < 1e-4)
    // A weight alone scales the guidance.
    let weighted = try latents(request("a cat:0.6"))[0]
    let scaled = house.indices.map { house[$0] + 3 * (cat[$0] - house[$0]) }
    #expect(Comparison.relative(weighted, scaled) < 1e-4)
  }

  /// The first text lasts until after step 2 counted from 0; the rest is a step of the other text.
  @Test func schedulesSwitchTexts() throws {
    let steps = 4
    let scheduled = try latents(request("[a cat:a ball:2]", steps: steps))
    let first = try latents(request("a cat", steps: steps))
    #expect(Array(scheduled[..<3]) == Array(first[..<3]))
    #expect(scheduled[3] != first[3])

    let other = request("a ball", steps: steps)
    let plan = try SamplePlan(other)
    let compiler = try Compiler(other.compiler, precision: .f32, .silent)
    let components = ModelComponents(plan.model, compiler)
    let states = try PromptEncoder(components, skippedLayers: 0, .silent).encode(plan.texts)
    let program = try components.program(
      .unet(
        UNet.Shape(
          batch: 2, height: plan.latentHeight, width: plan.latentWidth,
          tokens: try states.tokens(plan.texts))))
    var scheduler: any Scheduler = plan.sampler.scheduler(plan.schedulerConfig, steps: steps)
    let shape = [1, plan.latentHeight, plan.latentWidth, plan.latentChannels]
    let last = HostArray(scheduled[2], shape: [1, shape[3], shape[1], shape[2]]).channelsLast
    let input = HostArray(scheduler.modelInput(last.floats, step: 3), shape: shape)
    let time = Float(scheduler.timesteps[3])
    let output = try #require(
      try program.run([
        "sample": .stacked([input, input]), "timestep": HostArray([time, time], shape: [2]),
        "encoder_hidden_states": .stacked([
          try states.context(["a house"]), try states.context(["a ball"]),
        ]),
      ])["noise_pred"])
    let guided = guide(
      unconditional: output.samples(0..<1).floats, conditional: output.samples(1..<2).floats,
      scale: 5)
    let expected = HostArray(
      scheduler.advance(last.floats, modelOutput: guided, step: 3) { [] }, shape: shape)
    #expect(Comparison.relative(scheduled[3], expected.channelsFirst.floats) < 1e-6)
  }

  /// A negative prompt, a region and alternation change together.
  @Test func everythingSchedules() throws {
    var request = request("[a cat|a ball] on grass", steps: 3)
    request.negativePrompt = "[a house:a tree:1]"
    request.regions.texts = ["box=0,0,0.5,1; prompt=[a fox:a (bear:1.2):0.4]"]
    let plan = try SamplePlan(request)
    #expect(
      plan.scripts[0].texts(at: 0) == [
        ["a house", "a house"], ["a cat on grass", "a fox"],
      ])
    #expect(
      plan.scripts[0].texts(at: 2) == [
        ["a tree", "a tree"], ["a ball on grass", "a (bear:1.2)"],
      ])
    #expect(plan.scripts[0].changes(at: 2) && !plan.scripts[0].changes(at: 1))
    let result = try latents(request)
    #expect(result.count == 3 && result[2].allSatisfy(\.isFinite))
  }

  @Test func plainPromptsDrawTheSame() throws {
    var plain = request("a cat, on grass", steps: 2)
    let read = try latents(plain)
    plain.promptSettings.syntax = .plain
    #expect(try latents(plain) == read)
    // Brackets mean something only where they are read.
    let weighted = try latents(request("a (cat:1.5), on grass", steps: 2))
    #expect(weighted != read)
    var literal = request("a (cat:1.5), on grass", steps: 2)
    literal.promptSettings.syntax = .plain
    #expect(try latents(literal) != weighted)
    var ignored = request("a (cat:1.5), on grass", steps: 2)
    ignored.promptSettings.emphasis = .ignore
    #expect(try latents(ignored) == read)
  }

  @Test func weightsActOnStates() throws {
    let components = try Networks.components(.f32)
    func states(_ text: String, _ emphasis: Emphasis) throws -> HostArray {
      let encoder = try PromptEncoder(
        components, skippedLayers: 0, reading: .weighted(emphasis, commaBacktrack: 20), .silent)
      return try #require(try encoder.encode([text])[text])
    }
    let plain = try states("a cat", .original)
    let width = plain.shape[2]
    var expected = plain.floats
    for place in 2 * width..<3 * width { expected[place] *= 1.5 }
    #expect(try states("a (cat:1.5)", .noNorm).floats == expected)
    let mean = { (values: [Float]) in values.reduce(0.0) { $0 + Double($1) } / Double(values.count) }
    let ratio = Float(mean(plain.floats) / mean(expected))
    let original = try states("a (cat:1.5)", .original).floats
    #expect(Comparison.relative(original, expected.map { $0 * ratio }) < 1e-6)
    #expect(try states("a (cat:1.5)", .ignore).floats == plain.floats)
  }

  /// A long prompt is read in chunks, each as if alone; shorter prompts are padded.
  @Test func longPromptsHaveChunks() throws {
    let components = try Networks.components(.f32)
    let encoder = try PromptEncoder(
      components, skippedLayers: 0, reading: .weighted(.original, commaBacktrack: 20), .silent)
    let long = "a cat BREAK a dog"
    let states = try encoder.encode([long, "a cat", "a dog", ""])
    let whole = try #require(states[long])
    #expect(whole.shape == [1, 154, 64])
    let parts = try #require(states["a cat"]).floats + (try #require(states["a dog"]).floats)
    #expect(whole.floats == parts)
    let padded = try states.context(["a cat", long])
    #expect(padded.shape == [1, 2, 154, 64])
    let empty = try #require(states[""]).floats
    let first = try #require(states["a cat"]).floats
    #expect(Array(padded.floats[..<(154 * 64)]) == first + empty)

    let endless = [String](repeating: "cat", count: 8000).joined(separator: " ")
    #expect {
      try encoder.encode([endless])
    } throws: { ($0 as? CommandError)?.status == .usage && "\($0)".contains("107 chunks") }

    let words = (0..<90).map { _ in "cat" }.joined(separator: " ")
    let drawn = try latents(request(words, steps: 1))
    #expect(drawn[0].allSatisfy { $0.isFinite })
    #expect(try drawn != latents(request("cat cat", steps: 1)))
  }

  /// Choices are made by the seed of each picture, and pictures with other prompts are not drawn
  /// together.
  @Test func choicesFollowTheSeed() throws {
    var request = request("a {cat|dog|fox}, {red|blue|green} background")
    request.seeds = Array(0..<8)
    request.batchSize = 8
    let plan = try SamplePlan(request)
    let prompts = plan.batches.flatMap { $0.map(\.prompt) }
    #expect(prompts.count == 8 && Set(prompts).count > 1)
    #expect(plan.batches.allSatisfy { Set($0.map(\.text)).count == 1 })
    request.seeds = [5]
    request.batchSize = 1
    #expect(try SamplePlan(request).batches[0][0].prompt == prompts[5])
  }

  /// Every layer reads its own token of a concept word, with the same weight.
  @Test func conceptWordsHaveWeights() throws {
    var options = ModelOptions(path: GoldenFile.model, precision: .f32)
    options.adapters.files = [AdapterRequest(path: RecordedRun.url("edlora_hina.pth").path)]
    let compiler = try Networks.components(.f32).compiler
    let components = try ModelComponents(options, compiler)
    func states(_ text: String, _ reading: PromptReading) throws -> HostArray {
      let encoder = try PromptEncoder(components, skippedLayers: 0, reading: reading, .silent)
      return try #require(try encoder.encode([text])[text])
    }
    let reading = PromptReading.weighted(.noNorm, commaBacktrack: 20)
    let plain = try states("a <hina1> girl", .plain)
    #expect(plain.shape == [16, 77, 64])
    #expect(try states("a <hina1> girl", reading).floats == plain.floats)
    var expected = plain.floats
    for layer in 0..<16 {
      let start = (layer * 77 + 2) * 64
      for place in start..<start + 64 { expected[place] *= 1.25 }
    }
    #expect(try states("a (<hina1>:1.25) girl", reading).floats == expected)
    // A second chunk without the word is the same for all layers.
    let long = try states("a <hina1> girl BREAK a cat", reading)
    #expect(long.shape == [16, 154, 64])
    let cat = try states("a cat", .plain).floats
    for layer in 0..<16 {
      #expect(Array(long.floats[((2 * layer + 1) * 77 * 64)..<((2 * layer + 2) * 77 * 64)]) == cat)
    }
  }

  /// Samplers that call the model twice a step count calls.
  @Test func schedulesCountCalls() throws {
    var request = request("[a cat:a ball:0.5]", steps: 4)
    request.sampler = SamplerName.Choice(.heun)
    #expect(try SamplePlan(request).scripts[0].branches[0].schedules[0].entries.map(\.end) == [4, 8])
    request.sampler = SamplerName.Choice(.euler)
    #expect(try SamplePlan(request).scripts[0].branches[0].schedules[0].entries.map(\.end) == [2, 4])
  }

  @Test func linesHaveOptions() throws {
    let file = try scratch.write(
      "prompts.txt", "# pets\na cat --n dark --s 3 --d 7,8\n\na ball --w 96 --h 96 --l 2\n")
    var request = request("")
    (request.promptFile, request.output) = (file.path, scratch.path("%d.png"))
    let plans = try SampleJob(request, .silent).plans
    #expect(plans.map(\.count) == [2, 1])
    #expect(plans[0].request.steps == 3 && plans[0].batches[0][0].negative == "dark")
    #expect(plans[0].batches.flatMap { $0.map(\.seed) } == [7, 8])
    #expect(plans[1].width == 96 && plans[1].guidance == 2 && plans[1].request.steps == 1)
    #expect(plans[1].batches[0][0].negative == "a house")
  }

  @Test func faultsAreNamedBeforeAnyWork() {
    for (prompt, part) in [
      ("a (cat:1.2.3)", "1.2.3"), ("[a:b:1e999]", "1e999"), ("a <lora:x:y>", "strength"), ("a <hypernet:x:1>", "hypernet"),
      ("a <lora:x:lbw=1>", "lbw"),
      ("a cat AND a dog", "parts"),
    ] {
      var request = request(prompt)
      request.regions.texts = ["box=0,0,0.5,1; prompt=a AND b AND c"]
      #expect {
        try SamplePlan(request)
      } throws: { ($0 as? CommandError)?.status == .usage && "\($0)".contains(part) }
    }
  }

  @Test func whatIsNotReadIsSaid() throws {
    var request = request("a cat <http://x>, __animal__")
    request.negativePrompt = "a AND b"
    let remarks = try SamplePlan(request).remarks
    #expect(remarks.count == 3)
    for part in ["<http://x>", "__animal__", "AND"] {
      #expect(remarks.contains { $0.contains(part) }, "\(part)")
    }
  }
}

/// Embeddings of textual inversion by name.
@Suite(.serialized) struct EmbeddingRunTests {
  private let scratch = Scratch()

  /// A region acts to the end where a sampler calls the model twice a step, and half of the calls when asked.
  @Test func regionsCountCalls() throws {
    var request = SampleRequest()
    request.model.path = GoldenFile.model
    (request.prompt, request.steps, request.width, request.height) = ("a cat", 4, 64, 64)
    for (sampler, calls) in [(SamplerName.euler, 4), (.heun, 7), (.dpmppSDE, 7)] {
      request.sampler = SamplerName.Choice(sampler)
      request.regions.texts = ["box=0,0,1,0.5; prompt=a dog"]
      let whole = try SamplePlan(request)
      #expect(whole.calls == calls)
      let schedule = try RegionSchedule(whole)
      #expect((1..<calls).allSatisfy { schedule.inputs(changingAt: $0).isEmpty }, "\(sampler)")
      request.regions.texts = ["box=0,0,1,0.5; prompt=a dog; steps=0-0.5"]
      let half = try RegionSchedule(try SamplePlan(request))
      #expect((1..<calls).filter { !half.inputs(changingAt: $0).isEmpty } == [(calls + 1) / 2], "\(sampler)")
    }
  }

  private func plan(_ prompt: String, negative: String = "") throws -> SamplePlan {
    var request = SampleRequest()
    request.model.path = GoldenFile.model
    request.model.adapters.embeddingFolder = scratch.url.path
    (request.prompt, request.negativePrompt, request.steps) = (prompt, negative, 1)
    return try SamplePlan(request)
  }

  private func write(_ name: String, _ tensor: String, rows: Int) throws {
    let width = 64
    let values = (0..<rows * width).map { Float($0 % 7) / 10 - 0.3 }
    try SafetensorsFile.write(
      [(tensor, HostArray(values, shape: [rows, width]))], metadata: [:],
      to: scratch.url.appending(path: name))
  }

  @Test func namesInPromptsBecomeTokens() throws {
    try write("bad_one.safetensors", "emb_params", rows: 3)
    try write("bad.safetensors", "<other>", rows: 1)
    for (prompt, count) in [
      ("a cat, bad_one", 3), ("a cat, (BAD_ONE:1.2)", 3), ("embedding:bad_one", 3), ("a bad cat", 1),
      ("bad, bad_one", 4), ("badly drawn", 0),
    ] {
      let plan = try plan(prompt)
      let tokenizer = try PromptTokenizer(plan.model)
      let chunks = try tokenizer.chunks(prompt, .original, commaBacktrack: 20)
      #expect(chunks.count == 1)
      let taught = chunks[0].chunks[0].tokens.filter { tokenizer.conceptTokens.contains($0) }
      #expect(taught.count == count, "\(prompt)")
    }
    // A negative prompt and a schedule may name one, too.
    #expect(try plan("a cat", negative: "bad_one").model.adapters.words.count == 1)
    #expect(try plan("[a cat:bad_one:0.5]").model.adapters.words.count == 1)
    #expect(try plan("a cat").model.adapters.words.isEmpty)
    #expect { try plan("embedding:bat_one") } throws: { "\($0)".contains("'bad_one'") }
  }
}
