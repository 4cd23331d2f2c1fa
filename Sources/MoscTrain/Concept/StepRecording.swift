import Foundation
import MoscEngine
import MoscFormats

/// A file of recorded draws: of one step, or of the steps `step0.`, `step1.` … of a run.
///
/// Tensors have PyTorch's layouts: `latents` (scaled) and `noise_base` `[b,c,h,w]`,
/// `noise_offset_draw` `[b,c,1,1]`, `timesteps` `[b]`, `mask` and `img_mask` `[b,1,h,w]`; what all
/// steps share is stored once, without prefix. Metadata: `prompts` (a JSON list) or `prompt`,
/// `noise_offset`, `attn_reg_weight`, `reg_full_identity`, `use_mask_loss`, `lora_alpha`, and
/// `optimiser`, a JSON object.
package struct StepRecording: Sendable {
  /// The settings of the run, without data.
  package let setup: TrainingSetup
  /// The shape of the learning rates; nil when the file does not say.
  package let schedule: LearningRateSchedule.Shape?
  /// The number of updates that the schedule is made for.
  package let scheduledSteps: Int?
  /// The strength of the adapter.
  package let alpha: Float
  private let path: String
  /// The captions by prefix.
  private let prompts: [String: [String]]
  private let tensors: [String: HostArray]

  package init(_ path: String) throws {
    self.path = path
    let file = try SafetensorsFile(URL(fileURLWithPath: path))
    tensors = try TensorFile.read(path)
    func value(_ key: String) throws -> JSONValue? {
      guard let text = file.metadata[key] else { return nil }
      // Plain text stands for itself.
      return (try? JSONValue.parse(Array(text.utf8), path: path)) ?? .string(text)
    }
    func wrong(_ key: String, _ found: JSONValue, _ expected: String) -> FormatError {
      FormatError(path, "metadata \"\(key)\"", "is \(found), expected \(expected)")
    }
    func number(_ key: String) throws -> Double? {
      guard let found = try value(key), found != .null else { return nil }
      guard let number = found.double else { throw wrong(key, found, "a number or null") }
      return number
    }
    func flag(_ key: String, _ fallback: Bool) throws -> Bool {
      guard let found = try value(key) else { return fallback }
      guard let flag = found.bool else { throw wrong(key, found, "true or false") }
      return flag
    }
    var setup = TrainingSetup()
    setup.model.noiseOffset = try number("noise_offset")
    setup.model.attentionWeight = try number("attn_reg_weight")
    setup.model.regularisesFullIdentity = try flag("reg_full_identity", true)
    setup.model.usesMaskLoss = try flag("use_mask_loss", true)
    alpha = Float(try number("lora_alpha") ?? 1)
    func list(_ key: String) throws -> [String]? {
      guard let list = try value(key) else { return nil }
      guard let array = list.array else { throw wrong(key, list, "a list of texts") }
      return try array.map { item in
        guard let text = item.string else { throw wrong(key, item, "a text") }
        return text
      }
    }
    var prompts: [String: [String]] = [:]
    for key in file.metadata.keys where key == "prompts" || key.hasSuffix(".prompts") {
      prompts[String(key.dropLast("prompts".count))] = try list(key)
    }
    if let text = try value("prompt")?.string { prompts[""] = [text] }
    if prompts.isEmpty {
      throw FormatError(path, "metadata", "has no \"prompts\"; the captions of the pictures")
    }
    self.prompts = prompts
    let optimiser = try value("optimiser")
    if let optimiser { try Self.read(optimiser, path, into: &setup) }
    schedule = optimiser?["schedule"]?.string.flatMap { text in
      LearningRateSchedule.Shape.allCases.first { text.hasPrefix($0.rawValue) }
    }
    scheduledSteps = optimiser?["total_steps"]?.int
    self.setup = setup
  }

  /// Reads the optimiser's settings: `betas`, `weight_decay`, `lr` of the three groups, and `embedding_norm`, null for no limit.
  private static func read(
    _ optimiser: JSONValue, _ path: String, into setup: inout TrainingSetup
  ) throws(FormatError) {
    func number(_ value: JSONValue?, _ key: String) throws(FormatError) -> Double {
      guard let number = value?.double else {
        throw FormatError(
          path, "metadata \"optimiser\"", "'\(key)' is \(value ?? .null), expected a number")
      }
      return number
    }
    if let betas = optimiser["betas"]?.array, betas.count == 2 {
      setup.optimiser.beta1 = try number(betas[0], "betas")
      setup.optimiser.beta2 = try number(betas[1], "betas")
    }
    setup.optimiser.weightDecay = try number(optimiser["weight_decay"], "weight_decay")
    if let norm = optimiser["embedding_norm"] {
      setup.optimiser.embeddingNormThreshold = norm == .null ? .infinity : try number(norm, "embedding_norm")
    }
    let rates = optimiser["lr"]
    setup.model.embedding?.learningRate = try number(rates?["embedding"], "lr.embedding")
    setup.model.textEncoder?.learningRate = try number(rates?["text_encoder"], "lr.text_encoder")
    setup.model.unet?.learningRate = try number(rates?["unet"], "lr.unet")
  }

  /// The number of recorded steps.
  package var stepCount: Int {
    (0...).first { tensors["step\($0).noise_base"] == nil } ?? 0
  }

  /// The draws whose names begin with a prefix; what does not change is stored without.
  package func batch(_ prefix: String) throws -> ConceptBatch {
    func tensor(_ name: String, rank: Int) throws -> HostArray {
      guard let tensor = tensors[prefix + name] ?? tensors[name] else {
        throw FormatError(path, "tensor \"\(prefix + name)\"", "is missing")
      }
      guard tensor.shape.count == rank else {
        throw FormatError(
          path, "tensor \"\(prefix + name)\"", "has shape \(tensor.shape), expected \(rank) axes")
      }
      return tensor
    }
    let latents = try tensor("latents", rank: 4)
    let count = latents.shape[0]
    let captions = prompts[prefix] ?? prompts[""] ?? []
    guard captions.count == count else {
      throw FormatError(
        path, "metadata \"\(prefix)prompts\"",
        "has \(captions.count) texts for \(count) pictures")
    }
    func expect(_ name: String, _ tensor: HostArray, _ shape: [Int]) throws -> HostArray {
      guard tensor.shape == shape else {
        throw FormatError(
          path, "tensor \"\(name)\"", "has shape \(tensor.shape), expected \(shape)")
      }
      return tensor
    }
    func masks(_ name: String) throws -> [[Double]] {
      let (height, width) = (latents.shape[2], latents.shape[3])
      let floats = try expect(
        name, try tensor(name, rank: 4), [count, 1, height, width]
      ).floats.map(Double.init)
      return (0..<count).map { Array(floats[$0 * height * width..<($0 + 1) * height * width]) }
    }
    let imageMasks = try masks("img_mask")
    return ConceptBatch(
      latents: latents.channelsLast,
      noise: try expect("noise_base", try tensor("noise_base", rank: 4), latents.shape)
        .channelsLast,
      offset: try expect(
        "noise_offset_draw", try tensor("noise_offset_draw", rank: 4),
        [count, latents.shape[1], 1, 1]
      ).channelsLast,
      timesteps: try expect("timesteps", try tensor("timesteps", rank: 1), [count])
        .ints,
      captions: captions,
      masks: (tensors[prefix + "mask"] ?? tensors["mask"]) == nil ? imageMasks : try masks("mask"),
      imageMasks: imageMasks)
  }
}

/// Batches as a file recorded them.
package struct RecordedDraws: TrainingDraws {
  package let form: BatchForm
  private let recording: StepRecording

  /// - Throws: `FormatError` for a file without the first step.
  package init(_ recording: StepRecording) throws {
    self.recording = recording
    var form = BatchForm(try recording.batch("step0."))
    // Later steps may have other captions.
    form.isCaptionShared = false
    self.form = form
  }

  package func batch(_ number: Int) throws -> ConceptBatch { try recording.batch("step\(number).") }
}
