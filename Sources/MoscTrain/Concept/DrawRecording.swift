import Foundation
import MoscEngine
import MoscFormats
import MoscReport

/// Keeps every random draw of a run, for `--replay-draws` or another program.
///
/// The file is one that `StepRecording` reads; it is written when the run ends.
struct DrawRecording {
  private let file: OutputFile
  private var tensors: [(String, HostArray)] = []
  private var metadata: [String: String]

  init(_ file: OutputFile, _ plan: TrainPlan) {
    self.file = file
    let model = plan.setup.model
    metadata = [
      "mosc": Version.text,
      "noise_offset": JSONValue.number(model.noiseOffset).description,
      "attn_reg_weight": JSONValue.number(model.attentionWeight).description,
      "reg_full_identity": String(model.regularisesFullIdentity),
      "use_mask_loss": String(model.usesMaskLoss), "lora_alpha": "1.0",
      "optimiser": Self.optimiser(plan).description,
    ]
  }

  private static func optimiser(_ plan: TrainPlan) -> JSONValue {
    let (model, optimiser) = (plan.setup.model, plan.setup.optimiser)
    let rates = [
      ("embedding", model.embedding?.learningRate),
      ("text_encoder", model.textEncoder?.learningRate), ("unet", model.unet?.learningRate),
    ]
    let norm = optimiser.embeddingNormThreshold
    return .fields([
      ("type", .string("AdamW")), ("embedding_norm", .number(norm.isFinite ? norm : nil)),
      ("betas", .array([.double(optimiser.beta1), .double(optimiser.beta2)])),
      ("eps", .double(1e-8)), ("weight_decay", .double(optimiser.weightDecay)),
      ("schedule", .string(plan.schedule.shape.rawValue)),
      ("total_steps", .int(Int(plan.schedule.total.rounded(.up)))),
      ("lr", .fields(rates.map { ($0, .double($1 ?? 0)) })),
    ])
  }

  /// Appends the draws of a step.
  mutating func append(_ batch: ConceptBatch, _ number: Int) {
    let prefix = "step\(number)."
    let shape = batch.latents.shape
    func masks(_ masks: [[Double]]) -> HostArray {
      HostArray(masks.flatMap { $0.map { Float($0) } }, shape: [shape[0], 1, shape[1], shape[2]])
    }
    tensors += [
      (prefix + "latents", batch.latents.channelsFirst),
      (prefix + "noise_base", batch.noise.channelsFirst),
      (prefix + "noise_offset_draw", batch.offset.channelsFirst),
      (prefix + "timesteps", HostArray(batch.timesteps.map { Int32($0) }, shape: [shape[0]])),
      (prefix + "mask", masks(batch.masks)), (prefix + "img_mask", masks(batch.imageMasks)),
    ]
    metadata[prefix + "prompts"] = JSONValue.array(batch.captions.map { .string($0) }).description
  }

  /// Writes the file.
  func write() throws { try TensorFile.write(tensors, metadata: metadata, to: file) }
}
