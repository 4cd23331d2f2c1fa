import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscNetworks
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// The recorded runs of the Mix-of-Show pipelines, repeated from their settings alone.
@Suite(.serialized) struct ConceptRunTests {
  private let scratch = Scratch()

  /// Ten times the reference's own f32 error, the worst of these runs'.
  private let tolerance = 8.4e-6

  @Test(arguments: ["0.0", "0.7"]) func oneConcept(alpha: String) throws {
    let run = try RecordedRun("sample_alpha\(alpha)")
    var request = try run.request(scratch, model: GoldenFile.model)
    let strength = try #require(Float(alpha))
    request.model.adapters.files = [
      AdapterRequest(
        path: RecordedRun.url("edlora_hina.pth").path, textEncoder: strength, unet: strength)
    ]
    try SampleJob(request, .silent).run()
    #expect(try run.worst(scratch.path("trajectory.safetensors")) < tolerance)

    // The states of the layer-wise prompts, the negative one first and the same for all layers.
    let plan = try SamplePlan(request)
    let compiler = try Compiler(request.compiler, precision: .f32, .silent)
    let components = ModelComponents(plan.model, compiler)
    let texts = [request.negativePrompt, request.prompt]
    let states = try PromptEncoder(components, skippedLayers: 0, .silent).encode(Set(texts))
    let expected = try run.file.array("prompt_embeds")
    for (index, text) in texts.enumerated() {
      let found = try states.context([text])
      #expect(found.shape == [1, 16, 77, 64])
      let error = Comparison.relative(found.floats, expected.samples(index..<index + 1).floats)
      #expect(error < 3.1e-6, "\(text)")
    }
    let plain = try #require(states[request.negativePrompt])
    #expect(plain.shape == [1, 77, 64], "a prompt without concepts is encoded once")
  }

  /// The concept as this program's own file says it: kohya names with alpha for its meaning there,
  /// rows for each layer, and the mean that other programs read.
  @Test func ownConceptFile() throws {
    let source = try TorchFile(RecordedRun.url("edlora_hina.pth"))
    var tensors: [(String, HostArray)] = []
    for (name, tensor) in source.tensors {
      let array = tensor.array()
      if let word = name.split(separator: ".").last, name.contains("new_concept_embedding") {
        tensors.append(("mosc.edlora.\(word)", array))
        let mean = HostArray([Float](repeating: 9, count: 64), shape: [1, 64])
        tensors.append(("bundle_emb.\(word).string_to_param.*", mean))
        continue
      }
      for (prefix, short) in [("params.unet.", "lora_unet_"), ("params.text_encoder.", "lora_te_")]
      where name.hasPrefix(prefix) {
        let suffix = name.contains(".lora_down.") ? ".lora_down.weight" : ".lora_up.weight"
        let stem = short
          + name.dropFirst(prefix.count).dropLast(suffix.count).replacing(".", with: "_")
        tensors.append((stem + suffix, array))
        if suffix == ".lora_down.weight" {
          let rank = Float(array.shape[0])
          tensors.append(("\(stem).alpha", HostArray([rank], shape: [])))
        }
      }
    }
    let file = scratch.path("hina.safetensors")
    try SafetensorsFile.write(tensors, metadata: [:], to: URL(fileURLWithPath: file))
    let run = try RecordedRun("sample_alpha0.7")
    var request = try run.request(scratch, model: GoldenFile.model)
    request.model.adapters.files = [AdapterRequest(path: file, textEncoder: 0.7, unet: 0.7)]
    try SampleJob(request, .silent).run()
    #expect(try run.worst(scratch.path("trajectory.safetensors")) < tolerance)
  }

  @Test func fusedModel() throws {
    let run = try RecordedRun("fused_sample")
    try SampleJob(try run.request(scratch, model: FusedModel.make(in: scratch)), .silent).run()
    #expect(try run.worst(scratch.path("trajectory.safetensors")) < tolerance)
  }

  @Test func regions() throws {
    let run = try RecordedRun("region_plain")
    try SampleJob(try run.request(scratch, model: FusedModel.make(in: scratch)), .silent).run()
    #expect(try run.worst(scratch.path("trajectory.safetensors")) < tolerance)
  }

  @Test func regionsWithSpatialAdapters() throws {
    let run = try RecordedRun("region_adapters")
    var request = try run.request(scratch, model: FusedModel.make(in: scratch))
    for kind in ["keypose", "sketch"] {
      let prefix = "\(kind)_adapter."
      let weights = try run.file.entries.filter { $0.name.hasPrefix(prefix) }.map {
        (String($0.name.dropFirst(prefix.count)), try run.file.array($0.name))
      }
      let (adapter, image) = (scratch.path("\(kind).safetensors"), scratch.path("\(kind).png"))
      try SafetensorsFile.write(weights, metadata: [:], to: URL(fileURLWithPath: adapter))
      let pixels = try run.file.array("\(kind)_image")
      try PNG.write(
        PixelImage(
          width: pixels.shape[1], height: pixels.shape[0],
          channels: pixels.shape.count > 2 ? pixels.shape[2] : 1, pixels: pixels.bytes),
        to: URL(fileURLWithPath: image))
      var condition = SpatialCondition(adapter: adapter, image: image)
      condition.strength = try #require(Double(run.file.metadata["\(kind)_weight"] ?? ""))
      request.conditions.append(condition)
    }
    try SampleJob(request, .silent).run()
    #expect(try run.worst(scratch.path("trajectory.safetensors")) < tolerance)

    // Strengths inside of regions, which crash in the reference: no strength anywhere is no adapter.
    let plain = try RecordedRun("region_plain")
    for index in request.conditions.indices {
      request.conditions[index].boxes = "[]-0"
    }
    try SampleJob(request, .silent).run()
    #expect(try plain.worst(scratch.path("trajectory.safetensors")) < tolerance)
  }

  /// Another strength, another box and another prompt find every kernel in the cache.
  @Test func changesRecompileNothing() throws {
    let run = try RecordedRun("region_plain")
    var request = try run.request(scratch, model: GoldenFile.model)
    request.compiler.usesCache = true
    request.compiler.cacheFolder = scratch.path("cache")
    request.steps = 1
    request.prompt = "a lake"
    func draw(_ concept: String, _ strength: Float, _ rewrite: String) throws -> Set<String> {
      request.model.adapters.files = [
        AdapterRequest(
          path: RecordedRun.url("edlora_\(concept).pth").path, textEncoder: strength,
          unet: strength / 2)
      ]
      request.regions.rewrite = rewrite
      try SampleJob(request, .silent).run()
      return Set(
        try FileManager.default.subpathsOfDirectory(atPath: scratch.path("cache"))
          .filter { $0.hasPrefix("objects/") })
    }
    let first = try draw("hina", 1, "[a <hina1> <hina2>]-*-[]-*-[0, 0, 256, 256]")
    #expect(first.count > 100)
    #expect(try draw("hina", 0.3, "[a <hina1>]-*-[bad]-*-[64, 100, 200, 400]") == first)
    #expect(try draw("kaori", 0.9, "[a <kaori1> <kaori2>]-*-[]-*-[0, 0, 256, 500]") == first)
  }
}
