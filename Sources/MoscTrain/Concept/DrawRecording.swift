import Foundation
import MoscEngine
import MoscFormats
import MoscReport

/// Keeps every random draw of a run, for `--replay-draws` or another program.
///
/// The file is one that `StepRecording` reads; it is written when the run ends.
struct DrawRecording {
  private let file: OutputFile
  private var tensors: [(String, TensorValue)] = []
  private var metadata: [String: String]

  init(_ file: OutputFile, _ plan: TrainPlan) {
    self.file = file
    let model = plan.setup.model
    func text(_ value: Double?) -> String { value.map { String($0) } ?? "null" }
    metadata = [
      "mosc": Version.text,
      "noise_offset": text(model.noiseOffset),
      "attn_reg_weight": text(model.attentionWeight),
      "reg_full_identity": String(model.regularisesFullIdentity),
      "use_mask_loss": String(model.usesMaskLoss), "lora_alpha": "1.0",
      "optimiser": Self.optimiser(plan),
    ]
  }

  private static func optimiser(_ plan: TrainPlan) -> String {
    let (model, optimiser) = (plan.setup.model, plan.setup.optimiser)
    let rates = [
      ("embedding", model.embedding?.learningRate),
      ("text_encoder", model.textEncoder?.learningRate), ("unet", model.unet?.learningRate),
    ].map { "\"\($0)\": \($1 ?? 0)" }.joined(separator: ", ")
    return "{\"type\": \"AdamW\", \"betas\": [\(optimiser.beta1), \(optimiser.beta2)], "
      + "\"eps\": 1e-08, \"weight_decay\": \(optimiser.weightDecay), "
      + "\"schedule\": \"\(plan.schedule.shape.rawValue)\", "
      + "\"total_steps\": \(Int(plan.schedule.total.rounded(.up))), \"lr\": {\(rates)}}"
  }

  /// Appends the draws of a step.
  mutating func append(_ batch: ConceptBatch, _ number: Int) {
    let prefix = "step\(number)."
    let shape = batch.latents.shape
    func masks(_ masks: [[Double]]) -> TensorValue {
      TensorValue([shape[0], 1, shape[1], shape[2]], masks.flatMap { $0.map { Float($0) } })
    }
    tensors += [
      (prefix + "latents", batch.latents.channelsFirst),
      (prefix + "noise_base", batch.noise.channelsFirst),
      (prefix + "noise_offset_draw", batch.offset.channelsFirst),
      (prefix + "timesteps", TensorValue([shape[0]], batch.timesteps.map { Int32($0) })),
      (prefix + "mask", masks(batch.masks)), (prefix + "img_mask", masks(batch.imageMasks)),
    ]
    metadata[prefix + "prompts"] =
      "[\(batch.captions.map { JSONText.quote($0) }.joined(separator: ", "))]"
  }

  /// Writes the file.
  func write() throws { try TensorFile.write(tensors, metadata: metadata, to: file) }
}
