import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// CLIP's towers and the step that trains them, against transformers.
@Suite(.serialized) struct CLIPTests {
  private let scratch = Scratch()
  private let folder = Goldens.url("clip")

  private func golden() throws -> SafetensorsFile {
    try SafetensorsFile(folder.appending(path: "features.safetensors"))
  }

  /// A copy of the golden model to damage.
  private func copy() throws -> URL {
    let url = URL(fileURLWithPath: scratch.path("clip"))
    if !FileManager.default.fileExists(atPath: url.path) {
      try FileManager.default.copyItem(at: folder, to: url)
    }
    return url
  }

  private func compiler() throws -> Compiler {
    var options = CompilationOptions()
    (options.usesCache, options.threads, options.verifiesEach) = (false, 2, true)
    return try Compiler(options, precision: .f32, .silent)
  }

  /// The ids of the golden with the rows of their end tokens.
  private func texts(_ file: SafetensorsFile) throws -> [String: HostArray] {
    let ids = try file.array("ids")
    let (rows, length) = (ids.shape[0], ids.shape[1])
    let ends = try (0..<rows).map { row in
      let own = ids.ints[row * length..<(row + 1) * length]
      let largest = try #require(own.max())
      return Int32(try #require(own.firstIndex(of: largest)))
    }
    return ["input_ids": ids, "ends": HostArray(ends, shape: [rows])]
  }

  @Test func featuresAreThoseOfTheReference() throws {
    let model = try CLIPModelFolder(at: folder)
    let file = try golden()
    let image = try file.array("image").channelsLast
    for (function, inputs, name) in [
      (CLIPModelFolder.Function.vision(batch: 3), ["image": image], "image_features"),
      (.text(batch: 3), try texts(file), "text_features"),
    ] {
      let source = try model.program(function)
      let weights = WeightFiles(source)
      let expected = try file.array(name).floats
      let exact = try ReferenceRun(source.module, weights).run(source.function.name, inputs)
      #expect(Comparison.relative(try #require(exact["features"]).floats, expected) < 1e-5, "\(name)")
      let compiler = try compiler()
      let compiled = try Program(
        try compiler.compile(source.module, function: source.function.name), weights: weights, on: compiler
      ).run(inputs)
      #expect(Comparison.relative(try #require(compiled["features"]).floats, expected) < 1e-5, "\(name)")
    }
  }

  @Test func theStepHasTheLossAndGradientsOfTheReference() throws {
    let model = try CLIPModelFolder(at: folder)
    let file = try golden()
    let training = try model.trainingModule(ContrastiveStep(batch: 3))
    var inputs = try texts(file)
    inputs["image"] = try file.array("image").channelsLast
    inputs["excluded"] = HostArray([Float](repeating: 0, count: 9), shape: [3, 3])
    let weights = try SafetensorsFile(folder.appending(path: "model.safetensors"))
    for (name, shape) in training.trained {
      inputs[name] = HostArray(try weights.array(name).floats, shape: shape)
    }
    #expect(training.trained.map(\.name).contains("logit_scale"))
    #expect(training.trained.count == weights.entries.count)
    let results = try ReferenceRun(training.module, WeightFiles([:])).run(ContrastiveStep.name, inputs)
    #expect(Comparison.relative(try #require(results["loss"]).floats, try file.array("loss").floats) < 1e-5)
    var compared = 0
    for entry in file.entries where entry.name.hasPrefix("grad.") {
      let found = try #require(results[entry.name], "\(entry.name)").floats
      // The scale's gradient is a small difference of large sums, in f32 on both sides.
      let bound = entry.name == "grad.logit_scale" ? 1e-3 : 2e-5
      #expect(Comparison.relative(found, try file.array(entry.name).floats) < bound, "\(entry.name)")
      compared += 1
    }
    #expect(compared == 8)
    let missed = try #require(results["missed"]).floats
    #expect(missed.count == 3 && missed.allSatisfy { 0...1 ~= $0 })

    // A caption that is left out changes the loss as if it were not there: of two, one remains.
    inputs["excluded"] = HostArray(
      (0..<9).map { $0 % 4 == 0 ? 0 : ContrastiveStep.exclusion }, shape: [3, 3])
    let alone = try ReferenceRun(training.module, WeightFiles([:])).run(ContrastiveStep.name, inputs)
    #expect(abs(try #require(alone["loss"]).floats[0]) < 1e-6)
    #expect(try #require(alone["missed"]).floats.allSatisfy { abs($0) < 1e-6 })
  }

  @Test func featuresHaveUnitLengthAndBatchesDoNotMatter() throws {
    let encoder = CLIPEncoder(try CLIPModelFolder(at: folder), try compiler())
    let texts = (0..<9).map { "cat \($0)" }
    let features = try encoder.texts(texts)
    #expect(features.count == 9)
    for feature in features {
      #expect(abs(feature.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
    }
    #expect(try encoder.texts(["cat 8"]) == [features[8]])
    #expect(features[0] != features[8])
    #expect(try encoder.texts([]).isEmpty)
  }

  @Test func theEndIsTheLargestToken() throws {
    let model = try CLIPModelFolder(at: folder)
    let inputs = model.inputs(["cat", "a cat on a very long mat that is cut"])
    let ids = try #require(inputs["input_ids"])
    let length = ids.shape[1]
    #expect(length == 14)
    // Begin, "cat" as one token, end.
    #expect(inputs["ends"]?.ints == [2, 27])
    #expect(ids.ints[2] == 515 && ids.ints[27] == 515)
  }

  @Test func everyTensorIsAccountedFor() throws {
    let url = try copy()
    let weights = url.appending(path: "model.safetensors")
    let file = try SafetensorsFile(folder.appending(path: "model.safetensors"))
    func write(_ change: (inout [String: HostArray]) -> Void) throws {
      var tensors: [String: HostArray] = [:]
      for entry in file.entries { tensors[entry.name] = try file.array(entry.name) }
      change(&tensors)
      try SafetensorsFile.write(
        tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, metadata: [:], to: weights)
    }
    func fault() throws -> String {
      let model = try CLIPModelFolder(at: url)
      do {
        _ = try model.weights()
        return ""
      } catch {
        return String(describing: error)
      }
    }
    // What old versions saved, and a file without the scale.
    try write {
      $0["vision_model.embeddings.position_ids"] = HostArray([Int64(0), 1], shape: [1, 2])
      $0["text_model.embeddings.position_ids"] = HostArray([Int64(0), 1], shape: [1, 2])
      $0["logit_scale"] = nil
    }
    #expect(try fault() == "")
    try write { $0["vision_model.post_layernorm.weight"] = nil }
    #expect(try fault().contains("no tensor 'vision_model.post_layernorm.weight', expected with shape [24]"))
    try write { $0["vision_model.more.weight"] = HostArray([Float(1)], shape: [1]) }
    #expect(try fault().contains("'vision_model.more.weight'"))
    try write { $0["visual_projection.weight"] = HostArray([Float](repeating: 0, count: 12), shape: [12, 1]) }
    #expect(try fault().contains("has shape [12, 1], expected [12, 24]"))
  }

  @Test(arguments: [
    ("config.json", "\"patch_size\": 6", "\"patch_size\": 7", "key 'patch_size' is 7, expected a divisor of image_size 24"),
    ("config.json", "\"num_attention_heads\": 3", "\"num_attention_heads\": 5", "expected a divisor of hidden_size 24"),
    ("config.json", "\"model_type\": \"clip\"", "\"model_type\": \"siglip\"", "siglip"),
    ("config.json", "\"vocab_size\": 516", "\"vocab_size\": 500", "516 tokens"),
    ("preprocessor_config.json", "\"resample\": 3", "\"resample\": 2", "expected 3, which is bicubic"),
    ("preprocessor_config.json", "\"height\": 24", "\"height\": 20", "expected the model's image_size 24"),
  ])
  func badConfigurations(file: String, old: String, new: String, words: String) throws {
    let url = try copy().appending(path: file)
    let text = try String(contentsOf: url, encoding: .utf8)
    #expect(text.contains(old))
    try Data(text.replacing(old, with: new).utf8).write(to: url)
    #expect {
      try CLIPModelFolder(at: URL(fileURLWithPath: scratch.path("clip")))
    } throws: {
      String(describing: $0).contains(words)
    }
  }

  @Test func noFolder() {
    #expect {
      try CLIPModelFolder(at: URL(fileURLWithPath: scratch.path("none")))
    } throws: {
      String(describing: $0).contains("no config.json")
    }
  }
}
