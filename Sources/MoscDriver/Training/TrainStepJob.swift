import Foundation
import MoscFormats
import MoscIR
import MoscModel
import MoscRuntime
import MoscSample
import MoscTrain

/// `mosc run train_step`: one training step on recorded draws, for comparison with other programs.
///
/// The file holds `latents` (scaled), `noise_base`, `noise_offset_draw`, `timesteps`, `mask` and
/// `img_mask` in PyTorch's layouts; its metadata `prompts` (a JSON list), `noise_offset`,
/// `attn_reg_weight`, `reg_full_identity`, `use_mask_loss` and `lora_alpha`. Written are `loss`,
/// `attn_reg`, `model_pred` and `grad.` with every trained tensor.
package struct TrainStepJob {
  package let request: RunRequest
  package let reporter: Reporter

  /// The name of the target.
  package static let target = "train_step"

  package init(_ request: RunRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  package func run() throws {
    let output = try OutputFile(request.output)
    let recording = try StepRecording(request.input)
    var options = request.model
    guard options.adapters.files.count == 1 else {
      throw DriverError.usage("run train_step trains one concept: give its file with --lora")
    }
    options.adapters.files[0].textEncoder *= recording.alpha
    options.adapters.files[0].unet *= recording.alpha
    let model = try ModelComponents.open(options)
    let batch = try recording.batch("")
    let step = try ConceptStep(batch, recording.settings, model)
    let compiler = try Compiler(request.compiler, precision: options.precision, reporter)
    let training = try model.trainingModule(step)
    let concept = TrainedConcept(model)
    let groups = try concept.groups(training, recording.settings, OptimiserSettings())
    let program = try TrainingProgram(training, groups, AdamW(), compiler)
    let inputs = try ConceptInputs(step, recording.settings, model).inputs(batch)
    let results = try program.gradients(inputs)
    var tensors: [(String, TensorValue)] = ["loss", "attn_reg"].compactMap { name in
      results[name].map { (name, $0) }
    }
    if let prediction = results["model_pred"] {
      tensors.append(("model_pred", prediction.channelsFirst))
    }
    for (name, values) in concept.named(.gradients, of: groups) {
      tensors.append((ConceptStep.gradientPrefix + name, TensorValue(values)))
    }
    try TensorFile.write(
      tensors,
      metadata: ["mosc": Doctor.versionText, "type": compiler.target.precision.rawValue],
      to: output)
  }
}

extension ConceptStep {
  /// The step that fits a batch.
  init(_ batch: ConceptBatch, _ settings: ModelSettings, _ model: DiffusersModel) throws {
    let tokenizer = try PromptTokenizer(model)
    let words = try batch.captions.map { caption in
      tokenizer.conceptPositions(try tokenizer.rows(caption)[0].ids).count
    }
    let regulariser = settings.attentionWeight.map { _ in
      Regulariser(words: words.max() ?? 0, isFullIdentity: settings.regularisesFullIdentity)
    }
    let shape = batch.latents.shape
    self.init(
      batch: shape[0], height: shape[1], width: shape[2],
      captions: Set(batch.captions).count == 1 ? 1 : shape[0],
      isLayerwise: settings.isLayerwise, regulariser: regulariser,
      predictsVelocity: try SchedulerConfig(of: model).prediction == .velocity)
  }
}

/// A file of recorded draws.
struct StepRecording {
  let settings: ModelSettings
  /// The strength of the adapter.
  let alpha: Float
  private let path: String
  private let prompts: [String]
  private let tensors: [String: TensorValue]

  init(_ path: String) throws {
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
    var settings = ModelSettings()
    settings.noiseOffset = try number("noise_offset")
    settings.attentionWeight = try number("attn_reg_weight")
    settings.regularisesFullIdentity = try flag("reg_full_identity", true)
    settings.usesMaskLoss = try flag("use_mask_loss", true)
    self.settings = settings
    alpha = Float(try number("lora_alpha") ?? 1)
    if let list = try value("prompts") {
      guard let array = list.array else { throw wrong("prompts", list, "a list of texts") }
      prompts = try array.map { item in
        guard let text = item.string else { throw wrong("prompts", item, "a text") }
        return text
      }
    } else if let text = try value("prompt")?.string {
      prompts = [text]
    } else {
      throw FormatError(path, "metadata", "has no \"prompts\"; the captions of the pictures")
    }
  }

  /// The draws whose names begin with a prefix; what does not change is stored without.
  func batch(_ prefix: String) throws -> ConceptBatch {
    func tensor(_ name: String, rank: Int) throws -> TensorValue {
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
    guard prompts.count == count else {
      throw FormatError(
        path, "metadata \"prompts\"", "has \(prompts.count) texts for \(count) pictures")
    }
    func expect(_ name: String, _ tensor: TensorValue, _ shape: [Int]) throws -> TensorValue {
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
        .ints.map(Int.init),
      captions: prompts,
      masks: (tensors[prefix + "mask"] ?? tensors["mask"]) == nil ? imageMasks : try masks("mask"),
      imageMasks: imageMasks)
  }
}
