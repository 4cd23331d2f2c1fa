import Foundation
import MoscFormats
import MoscIR
import MoscModel
import MoscRuntime
import MoscSample

/// Text to latents to pixels: the networks of a model with a scheduler between them.
package final class Sampler {
  /// What a denoising run leaves: everything a trajectory file records.
  package struct Run: Sendable {
    /// The initial latents before scaling, `[n,c,h,w]`.
    package var initial: TensorValue
    /// The latents after every step.
    package var latents: [TensorValue]
    package var timesteps: [Double]

    /// The latents after the last step.
    package var last: TensorValue { latents.last ?? initial }
  }

  package let plan: SamplePlan
  private let compiler: Compiler
  private let components: ModelComponents
  private let tokenizer: CLIPTokenizer
  private var unet: (batch: Int, program: Program)?
  private var decoder: Program?

  package init(_ plan: SamplePlan, _ compiler: Compiler) throws {
    self.plan = plan
    self.compiler = compiler
    components = ModelComponents(plan.model, compiler)
    tokenizer = try CLIPTokenizer(folder: plan.model.tokenizerFolder)
  }

  private var reporter: Reporter { compiler.reporter }

  // MARK: Text

  /// The states of texts, `[1,t,c]` each; equal texts are encoded once.
  ///
  /// The encoder's weights are given back before the U-Net's are loaded.
  package func encode(_ texts: Set<String>) throws -> [String: TensorValue] {
    var ids: [String: [Int32]] = [:]
    for text in texts.sorted() {
      let encoding = tokenizer.encode(text)
      if encoding.isTruncated {
        reporter.warn(
          "the prompt has \(encoding.tokenCount) tokens, the model reads "
            + "\(tokenizer.maximumLength); the rest is cut off: \"\(text.prefix(40))…\"")
      }
      ids[text] = encoding.ids
    }
    let program = try components.program(
      .textEncoder(batch: 1, tokens: nil, skippedLayers: plan.request.clipSkip - 1))
    return try reporter.phase(.encode, texts.count == 1 ? "prompt" : "prompts") {
      try ids.mapValues { ids in
        let results = try program.run(["input_ids": TensorValue([1, ids.count], ids)])
        guard let states = results["last_hidden_state"] else {
          throw DriverError.failure("the text encoder gave no 'last_hidden_state'")
        }
        return states
      }
    }
  }

  // MARK: Denoising

  /// Denoises one batch.
  ///
  /// - Parameters:
  ///   - states: the prompt's states, and the negative prompt's when guidance is in use.
  ///   - sources: one random source per picture: initial latents first, then the noise of each
  ///     step, as diffusers draws from one generator per picture.
  package func denoise(
    conditional: TensorValue, unconditional: TensorValue?, sources: inout [any RandomSource]
  ) throws -> Run {
    let count = sources.count
    let shape = [count, plan.latentChannels, plan.latentHeight, plan.latentWidth]
    let size = shape.dropFirst().reduce(1, *)
    let initial =
      plan.initialLatents
      ?? TensorValue(shape, sources.indices.flatMap { sources[$0].normals(size) })
    var scheduler = plan.sampler.scheduler(plan.schedule, steps: plan.request.steps)
    let scale = scheduler.initialNoiseScale
    var sample = initial.floats.map { $0 * scale }
    let copies = unconditional == nil ? 1 : 2
    let program = try unetProgram(batch: copies * count)
    let states = TensorValue.stacked(
      [unconditional, conditional].compactMap { $0 }
        .flatMap { [TensorValue](repeating: $0, count: count) })
    var run = Run(initial: initial, latents: [], timesteps: scheduler.timesteps)
    let what = "denoising"
    reporter.begin(.step, what)
    for (step, timestep) in scheduler.timesteps.enumerated() {
      try Interruption.check()
      let input = TensorValue(shape, scheduler.modelInput(sample, step: step)).channelsLast
      let results = try program.run([
        "sample": TensorValue.stacked([TensorValue](repeating: input, count: copies)),
        "timestep": TensorValue(
          [copies * count], [Float](repeating: Float(timestep), count: copies * count)),
        "encoder_hidden_states": states,
      ])
      guard let output = results["noise_pred"]?.channelsFirst else {
        throw DriverError.failure("the U-Net gave no 'noise_pred'")
      }
      var prediction = output.floats
      if copies == 2 {
        prediction = guide(
          unconditional: output.samples(0..<count).floats,
          conditional: output.samples(count..<2 * count).floats,
          scale: Float(plan.request.guidance))
      }
      sample = scheduler.advance(sample, modelOutput: prediction, step: step) {
        sources.indices.flatMap { sources[$0].normals(size) }
      }
      run.latents.append(TensorValue(shape, sample))
      reporter.progress(.step, what, done: step + 1, of: scheduler.timesteps.count)
    }
    reporter.end(.step, what)
    if let bad = sample.first(where: { !$0.isFinite }) {
      throw DriverError.failure(
        "denoising ended in \(bad); the weights or the guidance are out of range")
    }
    return run
  }

  private func unetProgram(batch: Int) throws -> Program {
    if let unet, unet.batch == batch { return unet.program }
    // Two copies of the packed weights would not fit where one does.
    unet = nil
    let program = try components.program(
      .unet(
        UNet.Shape(
          batch: batch, height: plan.latentHeight, width: plan.latentWidth,
          tokens: tokenizer.maximumLength)))
    unet = (batch, program)
    return program
  }

  /// Gives the U-Net's memory back; the next batch would load it again.
  package func releaseUNet() { unet = nil }

  // MARK: Pixels

  /// The picture of one sample of latents, RGB bytes row by row.
  ///
  /// `round(255 · clamp(x/2 + ½, 0, 1))`, ties to even.
  package func decode(_ latents: TensorValue) throws -> [UInt8] {
    let program: Program
    if let decoder {
      program = decoder
    } else {
      program = try components.program(
        .vaeDecoder(batch: 1, height: plan.latentHeight, width: plan.latentWidth))
      decoder = program
    }
    let scaled = TensorValue(latents.shape, latents.floats.map { $0 / plan.scalingFactor })
    let results = try program.run(["latents": scaled.channelsLast])
    guard let image = results["image"] else {
      throw DriverError.failure("the decoder gave no 'image'")
    }
    return image.floats.map { value in
      UInt8((min(max(value / 2 + 0.5, 0), 1) * 255).rounded(.toNearestOrEven))
    }
  }
}
