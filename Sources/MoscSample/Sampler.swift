import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport

/// Text to latents to pixels: the networks of a model with a scheduler between them.
package final class Sampler {
  package let plan: SamplePlan
  /// Where the plan's pictures are among all of the run.
  private let before, total: Int
  private let compiler: Compiler
  private let components: ModelComponents
  private let encoder: PromptEncoder
  private let reading: PromptReading
  private let regions: RegionSchedule
  /// The maps of condition images, computed once.
  private lazy var conditionMaps = Result { try plan.conditions.maps(plan, compiler) }
  private lazy var control = ControlRun(plan, compiler)
  /// The U-Net, and the texts whose states it holds.
  private var unet: (shape: UNet.Shape, texts: [[String]], program: Program)?
  private var decoder: Program?

  /// - Throws: a usage error for a region without effect.
  ///
  /// - Parameters:
  ///   - before: pictures of the run that are drawn already, for messages.
  ///   - total: all pictures of the run; nil for those of the plan.
  package init(
    _ plan: SamplePlan, _ compiler: Compiler, after before: Int = 0, of total: Int? = nil
  ) throws {
    self.plan = plan
    (self.before, self.total) = (before, total ?? plan.count)
    self.compiler = compiler
    components = ModelComponents(plan.model, compiler)
    reading = PromptReading(plan.request.promptSettings, plan.request.syntax)
    encoder = try PromptEncoder(
      components, skippedLayers: plan.request.clipSkip - 1, reading: reading, compiler.reporter)
    regions = try RegionSchedule(plan)
    for warning in plan.remarks + regions.warnings { reporter.warn(warning) }
  }

  private var reporter: Reporter { compiler.reporter }

  /// Draws every picture of the plan, in order.
  package func pictures() throws -> [PixelImage] {
    var images: [PixelImage] = []
    try draw { _, image in images.append(image) }
    return images
  }

  /// Draws every picture of the plan, in order, and hands each over as soon as it is there.
  ///
  /// The encoder's weights are given back before the U-Net's are loaded.
  ///
  /// - Parameter observe: given every batch before it is decoded.
  package func draw(
    observing observe: (Denoising.Run) throws -> Void = { _ in },
    _ receive: (SamplePlan.Picture, PixelImage) throws -> Void
  ) throws {
    let texts = plan.texts
    let states = try reporter.phase(.encode, texts.count == 1 ? "prompt" : "prompts") {
      try plan.model.regional.map { try RegionTexts(plan, compiler, reading).encode($0) } ?? encoder.encode(texts)
    }
    for (index, batch) in plan.batches.enumerated() {
      try Interruption.check()
      let run = try denoise(batch, plan.scripts[index], states)
      try observe(run)
      if index == plan.batches.count - 1 {
        if plan.request.profiles { try printProfile() }
        unet = nil
      }
      for (number, picture) in batch.enumerated() {
        try Interruption.check()
        let image = try reporter.phase(.decode, "picture \(before + picture.number) of \(total)") {
          try decode(run.last.samples(number..<number + 1))
        }
        try receive(picture, image)
      }
    }
    if plan.request.profiles { try printProfile() }
  }

  // MARK: Denoising

  private func denoise(
    _ batch: [SamplePlan.Picture], _ script: PromptScript, _ states: PromptStates
  ) throws -> Denoising.Run {
    let count = batch.count
    let copies = script.count
    let program = try unetProgram(batch.count, script, states)
    let denoising = Denoising(
      height: plan.latentHeight, width: plan.latentWidth, channels: plan.latentChannels,
      plan.sampler.scheduler(
        plan.schedulerConfig, steps: plan.request.steps, eta: plan.request.eta))
    var sources = batch.map { plan.request.randomSource.source(seed: $0.seed) }
    let (first, last) = (before + batch[0].number, before + batch[count - 1].number)
    let numbers = count == 1 ? "\(first)" : "\(first)-\(last)"
    return try denoising.run(
      total == 1 ? "denoising" : "picture \(numbers) of \(total)",
      initial: plan.initialLatents?.channelsLast, sources: &sources, reporter
    ) { latents, timestep, step in
      var inputs = [
        "sample": HostArray.stacked([HostArray](repeating: latents, count: copies)),
        "timestep": HostArray(
          [Float](repeating: Float(timestep), count: copies * count), shape: [copies * count]),
      ]
      let given = program.inputTypes
      inputs.merge(regions.inputs(changingAt: step).filter { given[$0.key] != nil }) { $1 }
      inputs.merge(
        try control.inputs(latents, timestep: timestep, step: step, script, states)) { $1 }
      if script.changes(at: step) { try setTexts(script, step, count, states) }
      guard let output = try program.run(inputs)["noise_pred"] else {
        throw CommandError.failure("the U-Net gave no 'noise_pred'")
      }
      return combine(
        (0..<copies).map { output.samples($0 * count..<($0 + 1) * count).floats }, script)
    }
  }

  /// The predictions of a step as one.
  private func combine(_ predictions: [[Float]], _ script: PromptScript) -> [Float] {
    guard script.negative != nil else { return predictions[0] }
    // Guidance of 1 or less is the plain conditional model.
    let scale = Float(plan.usesGuidance ? plan.guidance : 1)
    let parts = zip(predictions.dropFirst(), script.branches)
    if script.branches.count == 1 {
      return guide(
        unconditional: predictions[0], conditional: predictions[1],
        scale: scale * Float(script.branches[0].weight))
    }
    return guide(
      unconditional: predictions[0], parts: parts.map { ($0, Float($1.weight)) }, scale: scale)
  }

  /// The U-Net with the states of the first step, compiled and computed anew only where they differ.
  private func unetProgram(
    _ count: Int, _ script: PromptScript, _ states: PromptStates
  ) throws -> Program {
    let size = script.count * count
    var shape = UNet.Shape(
      batch: size, height: plan.latentHeight, width: plan.latentWidth,
      tokens: try states.tokens(script.allTexts), isLayerwise: states.layers != nil,
      regions: UNet.bucket(regions: plan.regions.count))
    shape.hasAdapter = !plan.conditions.isEmpty
    shape.hasControl = !plan.controls.isEmpty
    if unet?.shape != shape {
      var inputs: [String: HostArray] = [:]
      for (level, map) in try conditionMaps.get().enumerated() {
        inputs["adapter.\(level)"] = .stacked([HostArray](repeating: map, count: size))
      }
      // Two copies of the packed weights would not fit where one does.
      unet = nil
      control.reset()
      let program = try components.program(.unet(shape))
      program.isProfiling = plan.request.profiles
      let given = program.inputTypes
      inputs.merge(regions.constantInputs(tokens: shape.tokens).filter { given[$0.key] != nil }) { $1 }
      try program.set(inputs)
      unet = (shape, [], program)
    }
    try setTexts(script, 0, count, states)
    guard let unet else { throw CommandError.failure("the U-Net was not made") }
    return unet.program
  }

  /// Gives the U-Net the states of a step, unless it holds them.
  private func setTexts(
    _ script: PromptScript, _ step: Int, _ count: Int, _ states: PromptStates
  ) throws {
    let texts = script.texts(at: step)
    guard let held = unet, held.texts != texts else { return }
    // Contexts that only fill a bucket cover nothing, so what they say is not heard.
    let filler = held.shape.regions - plan.regions.count
    let contexts = try texts.map { own in
      try states.context(own + [String](repeating: own[0], count: filler), tokens: held.shape.tokens)
    }
    try held.program.set([
      "encoder_hidden_states": .stacked(
        contexts.flatMap { [HostArray](repeating: $0, count: count) })
    ])
    unet?.texts = texts
  }

  /// Prints where the time of the U-Net and the decoder went so far.
  private func printProfile() throws {
    let peak = try MachinePeak(compiler)
    for (name, program) in [("U-Net", unet?.program), ("decoder", decoder)] {
      guard let program, program.profiled.runs > 0 else { continue }
      reporter.print("\(name):\n" + ProfileReport(program, peak).text())
    }
  }

  // MARK: Pixels

  /// The picture of one sample of latents `[1,h,w,c]`: `round(255 · clamp(x/2 + ½, 0, 1))`, ties to
  /// even.
  private func decode(_ latents: HostArray) throws -> PixelImage {
    let program: Program
    if let decoder {
      program = decoder
    } else {
      program = try components.program(
        .vaeDecoder(batch: 1, height: plan.latentHeight, width: plan.latentWidth))
      program.isProfiling = plan.request.profiles
      decoder = program
    }
    let scaled = HostArray(latents.floats.map { $0 / plan.scalingFactor }, shape: latents.shape)
    guard let image = try program.run(["latents": scaled])["image"] else {
      throw CommandError.failure("the decoder gave no 'image'")
    }
    if let bad = image.floats.first(where: { !$0.isFinite }) {
      throw CommandError.failure("the decoder gave \(bad), expected numbers; try --type f32")
    }
    return PixelImage(
      width: plan.width, height: plan.height,
      pixels: image.floats.map { value in
        UInt8((min(max(value / 2 + 0.5, 0), 1) * 255).rounded(.toNearestOrEven))
      })
  }
}
