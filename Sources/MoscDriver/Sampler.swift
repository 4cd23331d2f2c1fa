import Foundation
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
  private let encoder: PromptEncoder
  /// Whether every cross-attention layer has states of its own.
  private var isLayerwise = false
  private var unet: (batch: Int, program: Program)?
  private var decoder: Program?

  package init(_ plan: SamplePlan, _ compiler: Compiler) throws {
    self.plan = plan
    self.compiler = compiler
    components = ModelComponents(plan.model, compiler)
    encoder = try PromptEncoder(
      components, skippedLayers: plan.request.clipSkip - 1, compiler.reporter)
  }

  private var reporter: Reporter { compiler.reporter }

  // MARK: Text

  /// The states of prompts; equal prompts are encoded once.
  ///
  /// The encoder's weights are given back before the U-Net's are loaded.
  package func encode(_ texts: Set<String>) throws -> [String: TensorValue] {
    isLayerwise = encoder.isLayerwise(texts)
    return try reporter.phase(.encode, texts.count == 1 ? "prompt" : "prompts") {
      try encoder.encode(texts)
    }
  }

  /// What the U-Net reads for one half of guidance: the states of the prompt, then those of the
  /// regions, `[1,(layers),(contexts),t,c]`.
  package func context(_ prompts: [String], _ states: [String: TensorValue]) throws -> TensorValue {
    let contexts = try prompts.map { prompt in
      guard let found = states[prompt] else {
        throw DriverError.failure("the prompt '\(prompt)' was not encoded")
      }
      return found
    }
    let (tokens, width) = (contexts[0].shape[1], contexts[0].shape[2])
    let size = tokens * width
    let layers = isLayerwise ? try plan.model.unet().config.crossAttentionLayers : 1
    var values: [Float] = []
    values.reserveCapacity(layers * contexts.count * size)
    for layer in 0..<layers {
      for state in contexts {
        let floats = state.floats
        let start = state.shape[0] == 1 ? 0 : layer * size
        values += floats[start..<start + size]
      }
    }
    return TensorValue(
      [1] + (isLayerwise ? [layers] : []) + (contexts.count > 1 ? [contexts.count] : [])
        + [tokens, width], values)
  }

  // MARK: Denoising

  /// Denoises one batch.
  ///
  /// - Parameters:
  ///   - conditional: the contexts of the prompt and the regions; `unconditional` those of their
  ///     negative prompts when guidance is in use.
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
    let coverage = try RegionSchedule(plan)
    let maps = try plan.conditions.inputs(plan, samples: copies * count, compiler)
    for warning in coverage.warnings { reporter.warn(warning) }
    let what = "denoising"
    reporter.begin(.step, what)
    for (step, timestep) in scheduler.timesteps.enumerated() {
      try Interruption.check()
      let input = TensorValue(shape, scheduler.modelInput(sample, step: step)).channelsLast
      var inputs = [
        "sample": TensorValue.stacked([TensorValue](repeating: input, count: copies)),
        "timestep": TensorValue(
          [copies * count], [Float](repeating: Float(timestep), count: copies * count)),
        "encoder_hidden_states": states,
      ]
      inputs.merge(maps) { $1 }
      inputs.merge(coverage.inputs(step: step, of: scheduler.timesteps.count)) { $1 }
      let results = try program.run(inputs)
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
    var shape = UNet.Shape(
      batch: batch, height: plan.latentHeight, width: plan.latentWidth, tokens: encoder.tokens,
      isLayerwise: isLayerwise, regions: plan.regions.count)
    shape.hasAdapter = !plan.conditions.isEmpty
    let program = try components.program(.unet(shape))
    program.isProfiling = plan.request.profiles
    unet = (batch, program)
    return program
  }

  /// Gives the U-Net's memory back; the next batch would load it again.
  package func releaseUNet() { unet = nil }

  /// Prints where the time of the U-Net and the decoder went so far.
  package func printProfile() throws {
    let peak = try MachinePeak(compiler)
    for (name, program) in [("U-Net", unet?.program), ("decoder", decoder)] {
      guard let program, program.profiled.runs > 0 else { continue }
      reporter.print("\(name):\n" + ProfileReport(program, peak).text())
    }
  }

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
      program.isProfiling = plan.request.profiles
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
