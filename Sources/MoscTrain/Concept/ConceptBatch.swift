import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// What a training step is given: pictures as latents, captions, masks and random draws.
package struct ConceptBatch: Sendable {
  /// Scaled latents `[b,h,w,c]`.
  package var latents: HostArray
  /// Standard normal numbers `[b,h,w,c]`.
  package var noise: HostArray
  /// Standard normal numbers `[b,1,1,c]`, for the noise offset.
  package var offset: HostArray
  package var timesteps: [Int]
  package var captions: [String]
  /// Where the concept is, `[h·w]` for each picture.
  package var masks: [[Double]]
  /// Where the picture is.
  package var imageMasks: [[Double]]

  package init(
    latents: HostArray, noise: HostArray, offset: HostArray, timesteps: [Int],
    captions: [String], masks: [[Double]], imageMasks: [[Double]]
  ) {
    self.latents = latents
    self.noise = noise
    self.offset = offset
    self.timesteps = timesteps
    self.captions = captions
    self.masks = masks
    self.imageMasks = imageMasks
  }
}

/// Turns batches into the inputs of a compiled step.
package struct ConceptInputs {
  package let step: ConceptStep
  package let settings: ModelSettings
  private let tokenizer: PromptTokenizer
  private let schedule: NoiseSchedule
  private let resolutions: [(height: Int, width: Int)]

  package init(_ step: ConceptStep, _ settings: ModelSettings, _ model: DiffusersModel) throws {
    self.step = step
    self.settings = settings
    tokenizer = try PromptTokenizer(model)
    schedule = NoiseSchedule(try SchedulerConfig(of: model))
    resolutions = try model.unet().config.attentionResolutions(
      height: step.height, width: step.width)
  }

  /// The inputs of a step.
  ///
  /// - Throws: `CommandError.failure` for a caption without the concept's words, or that is too long
  ///   to hold them.
  package func inputs(_ batch: ConceptBatch) throws -> [String: HostArray] {
    let offset = Float(settings.noiseOffset ?? 0)
    let levels = batch.timesteps.map { schedule.coefficients($0) }
    let scalar = [step.batch, 1, 1, 1]
    let weighing = settings.usesMaskLoss ? batch.masks : batch.imageMasks
    var result: [String: HostArray] = [
      "latents": batch.latents,
      "noise": batch.noise,
      "noise_offset": HostArray(batch.offset.floats.map { $0 * offset }, shape: batch.offset.shape),
      "signal": HostArray(levels.map(\.signal), shape: scalar),
      "level": HostArray(levels.map(\.noise), shape: scalar),
      "timestep": HostArray(batch.timesteps.map(Float.init), shape: [step.batch]),
      "loss_weight": HostArray(
        weights(weighing).noise, shape: [step.batch, step.height, step.width, 1]),
    ]
    result.merge(try text(batch.captions)) { $1 }
    if step.regulariser != nil { addRegulariser(weights(batch.masks), to: &result) }
    return result
  }

  private func weights(_ masks: [[Double]]) -> MaskWeights {
    MaskWeights(masks, height: step.height, width: step.width)
  }

  /// The inputs of a step that captions make.
  func text(_ captions: [String]) throws -> [String: HostArray] {
    var result: [String: HostArray] = [:]
    var ids: [Int32] = []
    var prefix: [Int32] = []
    var positions = [Float](
      repeating: 0, count: step.batch * tokenizer.length * (step.regulariser?.words ?? 0))
    for (index, caption) in captions.enumerated() {
      let rows = try tokenizer.rows(caption)
      let layers = step.isLayerwise ? tokenizer.binder.layers : 1
      if let regulariser = step.regulariser {
        let found = tokenizer.conceptPositions(rows[0].ids)
        guard found.count == regulariser.words else {
          throw CommandError.failure(
            "the caption \"\(caption)\" holds \(found.count) of the concept's words in its first "
              + "\(tokenizer.length) tokens, expected \(regulariser.words)")
        }
        for (word, position) in found.enumerated() {
          positions[(index * tokenizer.length + position) * regulariser.words + word] = 1
        }
      }
      if index >= step.captions { continue }
      prefix = Array(rows[0].ids[..<step.sharedTokens])
      for layer in 0..<layers {
        ids += rows[min(layer, rows.count - 1)].ids[step.sharedTokens...]
      }
    }
    let own = tokenizer.length - step.sharedTokens
    result["input_ids"] = HostArray(ids, shape: [ids.count / own, own])
    if step.sharedTokens > 0 {
      result["prefix_ids"] = HostArray(prefix, shape: [1, step.sharedTokens])
    }
    if let regulariser = step.regulariser {
      result["word_positions"] = HostArray(
        positions, shape: [step.batch, tokenizer.length, regulariser.words])
    }
    return result
  }

  private func addRegulariser(
    _ weights: MaskWeights, to result: inout [String: HostArray]
  ) {
    var isDefined = true
    for (height, width) in resolutions {
      let shape = [step.batch, height * width, 1]
      let outside = weights.outside(height, width)
      isDefined = isDefined && outside != nil
      result[ConceptStep.outsideName(height, width)] = HostArray(
        outside ?? [Float](repeating: 0, count: step.batch * height * width), shape: shape)
      if step.regulariser?.isFullIdentity == true {
        result[ConceptStep.conceptName(height, width)] = HostArray(
          weights.scaled(height, width).map { Float($0) }, shape: shape)
      }
    }
    // Without a pixel off the concept its mean is undefined, and the reference drops all terms.
    let weight = isDefined ? settings.attentionWeight ?? 0 : 0
    result["attention_weight"] = HostArray([Float(weight)], shape: [1])
  }
}

extension ConceptStep {
  /// The step for batches of a form.
  package init(_ form: BatchForm, _ settings: ModelSettings, _ model: DiffusersModel) throws {
    let tokenizer = try PromptTokenizer(model)
    let words = tokenizer.conceptPositions(try tokenizer.rows(form.caption)[0].ids).count
    self.init(
      batch: form.batch, height: form.height, width: form.width,
      captions: form.isCaptionShared ? 1 : form.batch, isLayerwise: settings.isLayerwise,
      regulariser: settings.attentionWeight.map { _ in
        Regulariser(words: words, isFullIdentity: settings.regularisesFullIdentity)
      },
      predictsVelocity: try SchedulerConfig(of: model).prediction == .velocity)
  }
}
