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
  /// Previews, if there are any.
  private let previews: PreviewWriter?
  /// The maps of condition images, computed once.
  private lazy var conditionMaps = Result { try plan.conditions.maps(plan, compiler) }
  /// The picture that the pictures begin with, encoded once.
  private lazy var encoded = Result { try EncodedPicture(plan, autoencoder) }
  private lazy var control = ControlRun(plan, compiler)
  /// The U-Net, and the texts whose states it holds, by the number of predictions at a time: with a range of
  /// guidance there are two.
  private var unets: [Int: (steps: UNetSteps, texts: [[String]])] = [:]
  private let autoencoder: Autoencoder
  /// What is measured of regions, if that is asked for.
  package let meter: RegionMeter?
  /// The texts, encoded once.
  private var states: PromptStates?
  /// Sees every call of the model.
  package var watch: (Denoising.Step) throws -> Void = { _ in }

  /// - Throws: a usage error for a region without effect.
  ///
  /// - Parameters:
  ///   - before: pictures of the run that are drawn already, for messages.
  ///   - total: all pictures of the run; nil for those of the plan.
  ///   - keeper: what keeps programs for the next plan.
  package init(
    _ plan: SamplePlan, _ compiler: Compiler, after before: Int = 0, of total: Int? = nil,
    keeper: ModelKeeper? = nil
  ) throws {
    self.plan = plan
    (self.before, self.total) = (before, total ?? plan.count)
    self.compiler = compiler
    components = ModelComponents(plan.model, compiler, keeper: keeper)
    autoencoder = try Autoencoder(components, plan.request.tiling, seamless: plan.request.seamless)
    autoencoder.isProfiling = plan.request.profiles
    try autoencoder.checkMemory(height: plan.latentHeight, width: plan.latentWidth)
    reading = PromptReading(plan.request.promptSettings, plan.request.syntax)
    encoder = try PromptEncoder(
      components, skippedLayers: plan.request.clipSkip - 1, reading: reading, compiler.reporter)
    regions = try RegionSchedule(plan)
    meter = try RegionMeter(plan, reading)
    previews = try plan.previews.map {
      let options = plan.request.preview
      let preview = try LatentPreview(options.method, plan.model, taesd: options.taesd, compiler)
      return PreviewWriter(preview, every: options.interval, to: $0)
    }
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
  /// - Parameters:
  ///   - part: the batches to draw; nil for all.
  ///   - observe: given every batch before it is decoded.
  package func draw(
    _ part: Range<Int>? = nil, observing observe: (Denoising.Run) throws -> Void = { _ in },
    _ receive: (SamplePlan.Picture, PixelImage) throws -> Void
  ) throws {
    let second = try plan.secondPass().map {
      try Sampler($0, compiler, after: before, of: total, keeper: components.keeper)
    }
    second?.watch = watch
    let texts = plan.texts.union(second?.plan.texts ?? [])
    let states = try self.states ?? reporter.phase(.encode, texts.count == 1 ? "prompt" : "prompts") {
      try plan.model.regional.map {
        try RegionTexts(plan, then: second?.plan, compiler, reading).encode($0)
      } ?? encoder.encode(texts)
    }
    self.states = states
    let part = part ?? plan.batches.indices
    if let second { return try draw(part, second, states, receive) }
    for index in part {
      let batch = plan.batches[index]
      try Interruption.check()
      let run = try denoise(batch, plan.scripts[index], states)
      try observe(run)
      previews?.release()
      if index == plan.batches.count - 1 {
        if plan.request.profiles { try printProfile() }
        unets = [:]
      }
      for (number, picture) in batch.enumerated() {
        try Interruption.check()
        let image = try reporter.phase(.decode, "picture \(before + picture.number) of \(total)") {
          try decode(run.last.samples(number..<number + 1))
        }
        try receive(picture, try plan.picture?.finished(image) ?? image)
      }
    }
    if plan.request.profiles { try printProfile() }
  }

  /// Draws every picture in two passes, all of them in the first before any in the second: two copies of the
  /// U-Net's weights would not fit where one does.
  private func draw(
    _ part: Range<Int>, _ second: Sampler, _ states: PromptStates, _ receive: (SamplePlan.Picture, PixelImage) throws -> Void
  ) throws {
    let pass = try HiresPass(plan, autoencoder, compiler)
    var latents = try part.map { index in
      try denoise(plan.batches[index], plan.scripts[index], states).last
    }
    if plan.request.profiles { try printProfile() }
    previews?.release()
    unets = [:]
    for index in latents.indices {
      try Interruption.check()
      latents[index] = try reporter.phase(.encode, "larger latents") {
        try pass.enlarge(latents[index], decode: decode)
      }
    }
    autoencoder.release()
    for (index, place) in part.enumerated() {
      latents[index] = try second.denoise(
        plan.batches[place], second.plan.scripts[place], states,
        from: Denoising.Start(latents[index], leavingOut: pass.leftOut)
      ).last
    }
    if plan.request.profiles { try second.printProfile() }
    second.previews?.release()
    second.unets = [:]
    for (batch, latents) in zip(plan.batches[part], latents) {
      for (number, picture) in batch.enumerated() {
        try Interruption.check()
        let image = try reporter.phase(.decode, "picture \(before + picture.number) of \(total)") {
          try second.decode(latents.samples(number..<number + 1))
        }
        try receive(picture, image)
      }
    }
  }

  // MARK: Denoising

  /// - Parameter start: larger latents of the pictures to go on from; nil for a run from its beginning.
  private func denoise(
    _ batch: [SamplePlan.Picture], _ script: PromptScript, _ states: PromptStates,
    from start: Denoising.Start? = nil
  ) throws -> Denoising.Run {
    let count = batch.count
    let scheduler = plan.sampler.scheduler(
      plan.schedulerConfig, steps: plan.request.steps, eta: plan.request.eta)
    let denoising = Denoising(
      height: plan.latentHeight, width: plan.latentWidth, channels: plan.latentChannels, scheduler)
    var sources = batch.map { plan.request.randomSource.source(seed: $0.seed) }
    // The encoder's weights are given back before the U-Net's are loaded.
    let beginning = PictureBeginning(
      plan, batch, try encoded.get(), given: plan.initialLatents?.channelsLast, denoising, scheduler, &sources)
    // All that is needed is made before the first step.
    for isGuided in [true, false] {
      guard let call = (0..<plan.calls).first(where: { plan.isGuided($0) == isGuided }) else { continue }
      _ = try unetSteps(count, isGuided ? script : script.unguided, states, at: call)
    }
    let (first, last) = (before + batch[0].number, before + batch[count - 1].number)
    let numbers = count == 1 ? "\(first)" : "\(first)-\(last)"
    // Coverage so far, for a program that has not seen all of it.
    var regional: [String: HostArray] = [:]
    var current: UNetSteps?
    return try denoising.run(
      total == 1 ? "denoising" : "picture \(numbers) of \(total)",
      initial: beginning.noise, from: start ?? beginning.start, sources: &sources, reporter,
      observing: {
        beginning.hold?.apply(to: &$0)
        try previews?.see($0, plan.schedulerConfig.prediction)
        try watch($0)
      }
    ) { latents, timestep, step in
      let script = plan.isGuided(step) ? script : script.unguided
      let copies = script.count
      var inputs = [
        "sample": HostArray.stacked([HostArray](repeating: beginning.input(latents), count: copies)),
        "timestep": HostArray(
          [Float](repeating: Float(timestep), count: copies * count), shape: [copies * count]),
      ]
      regional.merge(regions.inputs(changingAt: step)) { $1 }
      let unet = try unetSteps(count, script, states, at: step)
      if !regional.isEmpty, unet !== current || regions.changes(at: step) {
        try unet.set(regional.filter { unet.inputNames.contains($0.key) })
      }
      current = unet
      inputs.merge(
        try control.inputs(latents, timestep: timestep, step: step, script, states)) { $1 }
      let output = try unet.run(inputs, call: step)
      try meter?.see(unet.maps, step: step, script, count)
      return combine(
        (0..<copies).map { output.samples($0 * count..<($0 + 1) * count).floats }, script, step)
    }
  }

  /// The predictions of a step as one.
  private func combine(_ predictions: [[Float]], _ script: PromptScript, _ step: Int) -> [Float] {
    guard script.negative != nil else { return predictions[0] }
    // Guidance of 1 or less is the plain conditional model.
    let scale = Float(plan.usesGuidance ? plan.guidance : 1)
    let parts = zip(predictions.dropFirst(), script.branches)
    if let guidance = RegionGuidance(plan) {
      return guidance.combine(predictions[0], parts.map { ($0, $1.weight) }, step: step)
    }
    if script.branches.count == 1 {
      return guide(
        unconditional: predictions[0], conditional: predictions[1],
        scale: scale * Float(script.branches[0].weight))
    }
    return guide(
      unconditional: predictions[0], parts: parts.map { ($0, Float($1.weight)) }, scale: scale)
  }

  /// The U-Net with the states of a step, compiled and computed anew only where they differ.
  private func unetSteps(
    _ count: Int, _ script: PromptScript, _ states: PromptStates, at step: Int
  ) throws -> UNetSteps {
    let size = script.count * count
    var shape = UNet.Shape(
      batch: size, height: plan.latentHeight, width: plan.latentWidth,
      tokens: try states.tokens(script.allTexts), isLayerwise: states.layers != nil,
      regions: UNet.bucket(regions: plan.regions.count))
    shape.hasAdapter = !plan.conditions.isEmpty
    shape.hasControl = !plan.controls.isEmpty
    shape.seamless = plan.request.seamless
    shape.measuresRegions = meter != nil
    if unets[script.count]?.steps.shape != shape {
      var inputs: [String: HostArray] = [:]
      for (level, map) in try conditionMaps.get().enumerated() {
        inputs["adapter.\(level)"] = .stacked([HostArray](repeating: map, count: size))
      }
      if let width = try plan.model.unet().config.guidanceWidth {
        inputs[GuidanceEmbedding.input] = GuidanceEmbedding.of(
          plan.guidance, width: width, batch: size)
      }
      // Two copies of the packed weights would not fit where one does.
      if plan.request.fewSteps.guidanceRange == nil { unets = [:] }
      unets[script.count] = nil
      let steps = try UNetSteps(
        shape, components, reuse: plan.request.fewSteps.reuse, sharing: unets.values.first?.steps)
      steps.isProfiling = plan.request.profiles
      inputs.merge(regions.constantInputs(tokens: shape.tokens)) { $1 }
      try steps.set(inputs.filter { steps.inputNames.contains($0.key) })
      unets[script.count] = (steps, [])
    }
    try setTexts(script, step, count, states)
    guard let held = unets[script.count] else { throw CommandError.failure("the U-Net was not made") }
    return held.steps
  }

  /// Gives the U-Net the states of a step, unless it holds them.
  private func setTexts(
    _ script: PromptScript, _ step: Int, _ count: Int, _ states: PromptStates
  ) throws {
    let texts = script.texts(at: step)
    guard let held = unets[script.count], held.texts != texts else { return }
    // Contexts that only fill a bucket cover nothing, so what they say is not heard.
    let filler = held.steps.shape.regions - plan.regions.count
    let contexts = try texts.map { own in
      try states.context(own + [String](repeating: own[0], count: filler), tokens: held.steps.shape.tokens)
    }
    try held.steps.set([
      "encoder_hidden_states": .stacked(
        contexts.flatMap { [HostArray](repeating: $0, count: count) })
    ])
    unets[script.count]?.texts = texts
  }

  /// Prints where the time of the U-Net and the decoder went so far.
  private func printProfile() throws {
    let peak = try MachinePeak(compiler)
    let programs = unets.sorted { $0.key > $1.key }.flatMap(\.value.steps.programs)
    for (name, program) in programs + (autoencoder.decoder.map { [("decoder", $0)] } ?? []) {
      guard program.profiled.runs > 0 else { continue }
      reporter.print("\(name):\n" + ProfileReport(program, peak).text())
    }
  }

  // MARK: Pixels

  /// The picture of one sample of latents `[1,h,w,c]`: `round(255 · clamp(x/2 + ½, 0, 1))`, ties to
  /// even.
  private func decode(_ latents: HostArray) throws -> PixelImage {
    let scaled = HostArray(latents.floats.map { $0 / plan.scalingFactor }, shape: latents.shape)
    let image = try autoencoder.decode(scaled)
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
