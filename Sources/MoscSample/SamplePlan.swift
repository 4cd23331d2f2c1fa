import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscReport

/// A request of `mosc sample`, checked before any heavy work.
package struct SamplePlan: Sendable {
  /// One picture to draw.
  package struct Picture: Sendable {
    /// The prompt with the tags of adapters, as it is written into the picture.
    package var prompt: String
    /// The prompt that is read.
    package var text: String
    package var negative: String
    package var regions: [RegionPrompts]
    package var seed: UInt64
    /// The seed of the noise that a variation goes towards.
    package var variationSeed: UInt64 = 0
    /// Its place among all pictures, from 1.
    package var number: Int
  }

  /// The prompts of a region.
  package struct RegionPrompts: Hashable, Sendable {
    package var prompt: String
    package var negative: String
  }

  package internal(set) var request: SampleRequest
  /// The same before anything was read and decided, for another process to plan alike.
  package let asked: SampleRequest
  package let model: DiffusersModel
  package let schedulerConfig: SchedulerConfig
  /// How often the model is called for a picture; some samplers call it twice a step.
  package internal(set) var calls: Int
  package internal(set) var width: Int
  package internal(set) var height: Int
  /// Pixels per latent.
  package let factor: Int
  package let latentChannels: Int
  package let guidance: Double
  /// What latents are divided by before the decoder.
  package let scalingFactor: Float
  /// Pictures that are drawn together; they share their prompts.
  package let batches: [[Picture]]
  /// What the U-Net reads for each batch.
  package internal(set) var scripts: [PromptScript]
  /// What was taken because the model or an adapter draws in few steps.
  package let fewStepRemark: String?
  /// What was not read as it may have been meant.
  package let remarks: [String]
  /// Parts of the picture with prompts of their own.
  package let regions: [Region]
  /// The adapters that each region carries.
  package let regionAdapters: [[AdapterRequest]]
  /// Images that say where things are.
  package let conditions: SpatialConditions
  /// A picture that the pictures begin with.
  package let picture: PicturePlan?
  /// Whether the U-Net is for inpainting: it is given a mask and the picture without what is masked.
  package let takesMask: Bool
  /// Pictures that are followed through ControlNets.
  package let controls: ControlConditions
  /// The given initial latents, `[n,c,h,w]`.
  package let initialLatents: HostArray?
  package let trajectory: OutputFile?
  /// Where previews go; nil for none.
  package let previews: OutputFile?

  /// No picture has longer sides.
  static let mostSide = 8192

  /// The sampler, however it was spelled.
  package var sampler: SamplerName { request.sampler.sampler }

  /// The number of pictures.
  package var count: Int { batches.reduce(0) { $0 + $1.count } }

  /// Every text that a network reads.
  package var texts: Set<String> { Set(scripts.flatMap(\.allTexts)) }

  /// What the texts say without brackets, weights and breaks.
  package func words() throws -> Set<String> {
    guard request.syntax == .a1111 else { return texts }
    return try Set(
      texts.map { text in
        try request.promptSettings.emphasis.texts(text).filter { !$0.isBreak }.map(\.text)
          .joined(separator: " ")
      })
  }

  /// Whether the negative prompt takes part; guidance of 1 is the plain conditional model.
  package let usesGuidance: Bool
  /// Whether it takes part at a call of the model.
  package func isGuided(_ call: Int) -> Bool {
    request.fewSteps.guidanceRange?.acts(call: call, of: calls, steps: request.steps) ?? true
  }
  /// Regions, the rounding of their boxes.
  package var rounding: RegionCoverage.Rounding { request.matchesMixOfShow ? .inward : .centre }
  package var latentHeight: Int { height / factor }
  package var latentWidth: Int { width / factor }

  /// Checks everything that can be checked without computing.
  ///
  /// - Parameter keeper: what has the model open maybe.
  /// - Throws: a usage error for the first option that cannot be, else what is wrong with a file.
  package init(_ asked: SampleRequest, keeper: ModelKeeper? = nil) throws {
    self.asked = asked
    var request = asked
    try request.takeSigmas()
    try Self.checkNumbers(request)
    var prompts = try Self.prompts(request)
    try request.regions.divide(&prompts, negative: &request.negativePrompt)
    let seeds = Self.seeds(request)
    var expansion = try PromptExpansion(request.promptSettings, request.syntax)
    let (tags, texts) = try Self.adapters(request, prompts, seeds, &expansion)
    regionAdapters = try request.regions.adapters(in: request.model.adapters.folder)
    model = try ModelComponents.open(
      request.model, tags: tags, texts: texts + (try request.regions.words()), regions: regionAdapters,
      keeper: keeper)
    fewStepRemark = try request.takeFewSteps(model)
    request.fewSteps.unsaid = []
    try Self.checkNumbers(request)
    self.request = request
    schedulerConfig = try Self.schedulerConfig(request, model)
    guidance = try request.guidance ?? ModelDefaults(of: model).guidance
    let vae = try model.vae().config
    let unet = try model.unet().config
    // A model that was distilled for any guidance follows it in one prediction.
    usesGuidance = guidance > 1 && unet.guidanceWidth == nil
    try request.fewSteps.reuse.check(unet)
    let encoder = try model.textEncoder().config
    factor = vae.downsampling
    latentChannels = vae.latentChannels
    scalingFactor = Float(vae.scalingFactor)
    takesMask = unet.inChannels == 2 * latentChannels + 1
    guard unet.inChannels == latentChannels || takesMask else {
      throw CommandError.failure(
        "the U-Net takes \(unet.inChannels) channels, the VAE gives \(latentChannels) latents: expected "
          + "\(latentChannels), or \(2 * latentChannels + 1) for inpainting")
    }
    guard request.clipSkip <= encoder.layers else {
      throw CommandError.usage(
        "--clip-skip \(request.clipSkip): the text encoder has \(encoder.layers) layers")
    }
    let given = try request.latentsIn.map { path in
      let (name, latents) = try TensorFile.read(path, oneOf: ["latents_init", "latents_in"])
      guard latents.shape.count == 4, latents.shape[1] == vae.latentChannels,
        latents.shape.allSatisfy({ 1...Self.mostSide ~= $0 })
      else {
        throw CommandError.failure(
          "'\(path)': '\(name)' has shape \(latents.shape), expected "
            + "[n, \(vae.latentChannels), h, w]")
      }
      return latents
    }
    initialLatents = given
    conditions = try SpatialConditions(request.conditions, unet: unet)
    controls = try ControlConditions(request.control, unet: unet)
    try controls.check(factor: factor)
    let side = try model.trainedSize()
    let drawn = conditions.size ?? controls.size(factor)
    try request.picture.check()
    if let path = request.picture.image {
      if request.hires.isOn {
        throw CommandError.usage(
          "--hires is for pictures from text; --init-img takes a larger --width and --height")
      }
      let read = request.regions.regions
      let begun = try PicturePlan(request, path, factor: factor, trained: side, regions: read)
      picture = begun
      (width, height) = (begun.frame.drawnWidth, begun.frame.drawnHeight)
      regions = begun.regions.map(begun.frame.cut)
    } else {
      picture = nil
      width = request.width ?? given.map { $0.shape[3] * vae.downsampling } ?? drawn?.width ?? side
      height = request.height ?? given.map { $0.shape[2] * vae.downsampling } ?? drawn?.height ?? side
      regions = try request.regions.regions(width: width, height: height)
      if let region = regions.first(where: { $0.strength != nil }) {
        throw CommandError.usage(
          "\(region.name) has a strength, which is for a picture to begin with: give it with --init-img")
      }
    }
    try Self.checkSize(width, height, factor, given)
    if request.hires.isOn { _ = try request.hires.sizes(width: width, height: height, factor: factor) }
    let scheduler = request.sampler.sampler.scheduler(schedulerConfig, steps: request.steps)
    calls = scheduler.calls(leavingOut: picture?.leftOut ?? 0)
    batches = try Self.batches(request, prompts, seeds, regions, &expansion)
    if request.fewSteps.guidanceRange != nil, !usesGuidance {
      throw CommandError.usage("--guidance-range is for a guidance above 1, and for models that take it")
    }
    scripts = try Self.scripts(request, calls: scheduler.timesteps.count, batches, usesGuidance: usesGuidance)
    if request.fewSteps.guidanceRange != nil, scripts.contains(where: { $0.unguided.count == $0.count }) {
      throw CommandError.usage("--guidance-range is for prompts without AND")
    }
    remarks = expansion.remarks
    try Self.checkTags(request, regions)
    for region in regions where region.adapterStrengths.count > conditions.count {
      throw CommandError.usage(
        "\(region.name) has \(region.adapterStrengths.count) t2i strengths for "
          + "\(conditions.count) --t2i-adapter")
    }
    previews = try request.preview.file()
    trajectory = try request.trajectory.map { try OutputFile($0) }
    if batches.count != 1, trajectory != nil || given != nil {
      throw CommandError.usage(
        "--latents-in and --trajectory are for one batch; this would draw \(batches.count)")
    }
    if let given, given.shape[0] != batches[0].count {
      throw CommandError.usage(
        "--latents-in holds \(given.shape[0]) samples for \(batches[0].count) pictures; "
          + "say --batch-size \(given.shape[0])")
    }
    try ModelComponents.verify(model)
  }

  private static func checkNumbers(_ request: SampleRequest) throws {
    try request.variation.check()
    try request.hires.check(request)
    try CommandError.check("steps", request.steps, in: 1...1000)
    try CommandError.check("batch-count", request.batchCount, in: 1...10_000)
    try CommandError.check("batch-size", request.batchSize, in: 1...64)
    try CommandError.check("clip-skip", request.clipSkip, in: 1...10_000)
    // A few-step adapter may yet choose a sampler that takes it.
    if let eta = request.eta, !request.fewSteps.unsaid.contains(.sampler) {
      guard request.sampler.sampler.takesEta else {
        throw CommandError.usage(
          "--eta is for DDIM and TCD; \(request.sampler) puts back the noise that it is made for")
      }
      guard 0...1 ~= eta else { throw CommandError.usage("--eta \(eta): expected 0 to 1") }
    }
    if let guidance = request.guidance, !guidance.isFinite {
      throw CommandError.usage("--cfg-scale \(guidance): expected a number")
    }
  }

  private static func checkSize(
    _ width: Int, _ height: Int, _ factor: Int, _ latents: HostArray?
  ) throws {
    for (option, value) in [("width", width), ("height", height)] {
      guard value >= factor, value % factor == 0, value <= mostSide else {
        let near = (min(max(value, factor), mostSide) + factor / 2) / factor * factor
        throw CommandError.usage(
          "--\(option) \(value): expected a multiple of \(factor) up to \(mostSide), such as \(min(near, mostSide))"
        )
      }
    }
    if let latents, latents.shape[2] * factor != height || latents.shape[3] * factor != width {
      throw CommandError.usage(
        "--latents-in is for \(latents.shape[3] * factor)x\(latents.shape[2] * factor), not "
          + "\(width)x\(height)")
    }
  }

  /// Refuses adapter tags where nothing reads them.
  private static func checkTags(_ request: SampleRequest, _ regions: [Region]) throws {
    do throws(PromptError) {
      try LeftoverTag.refuse(in: request.negativePrompt, "the negative prompt")
      for region in regions {
        try LeftoverTag.refuse(in: region.prompt, "the prompt of \(region.name)")
        try LeftoverTag.refuse(in: region.negative ?? "", "the negative prompt of \(region.name)")
      }
    } catch {
      throw CommandError.usage(error.description)
    }
  }

  private static func schedulerConfig(
    _ request: SampleRequest, _ model: DiffusersModel
  ) throws -> SchedulerConfig {
    var config = try SchedulerConfig(of: model)
    request.sampler.apply(to: &config)
    if let levels = request.levels { config.levels = levels }
    config.sigmas = request.sigmas
    if let spacing = request.timestepSpacing { config.spacing = spacing }
    if let prediction = request.prediction { config.prediction = prediction }
    if request.hasZeroTerminalSNR { config.rescaleBetasZeroSNR = true }
    config.endsAtTimestepZero = request.matchesMixOfShow
    try config.check(for: request.sampler.sampler)
    if let obstacle = request.sampler.sampler.obstacle(config, steps: request.steps) {
      throw CommandError.usage("--steps \(request.steps): \(obstacle)")
    }
    return config
  }

  /// The seeds of the pictures of each prompt.
  private static func seeds(_ request: SampleRequest) -> [UInt64] {
    let wanted = max(request.seeds.count, request.batchCount * request.batchSize)
    var seeds = request.seeds
    // Variations of a picture share its seed.
    let step: UInt64 = request.variation.isOn ? 0 : 1
    while seeds.count < wanted { seeds.append((seeds.last ?? 0) &+ step) }
    return seeds
  }

  private static func batches(
    _ request: SampleRequest, _ prompts: [String], _ seeds: [UInt64], _ regions: [Region],
    _ expansion: inout PromptExpansion
  ) throws -> [[Picture]] {
    var batches: [[Picture]] = []
    for (index, prompt) in prompts.enumerated() {
      var batch: [Picture] = []
      for (number, seed) in seeds.enumerated() {
        let found = try expansion.prompts(
          prompt, negative: request.negativePrompt, regions, seed: seed)
        let picture = Picture(
          prompt: found.written, text: found.text, negative: found.negative,
          regions: found.regions, seed: seed, variationSeed: request.variation.seed(number),
          number: index * seeds.count + number + 1)
        if let first = batch.first,
          batch.count == request.batchSize || !first.hasPrompts(of: picture)
        {
          batches.append(batch)
          batch = []
        }
        batch.append(picture)
      }
      batches.append(batch)
    }
    return batches
  }

  /// What each batch reads; every text is checked before anything is computed.
  ///
  /// - Parameter secondPass: all steps of the second pass's schedule, and those left out; nil for the first.
  static func scripts(
    _ request: SampleRequest, calls: Int, _ batches: [[Picture]], usesGuidance: Bool,
    secondPass: (all: Int, leftOut: Int)? = nil
  ) throws -> [PromptScript] {
    // Samplers that call the model twice a step count calls, as in the original.
    let steps = secondPass?.all ?? request.steps
    let factor = steps > 1 && calls >= 2 * steps - 1 ? 2 : 1
    let timing = PromptSchedule.Timing(
      steps: factor * request.steps, secondPassSteps: secondPass.map { factor * ($0.all - $0.leftOut) },
      isOld: request.promptSettings.usesOldTiming)
    var scripts: [PromptScript] = []
    var before: Picture?
    for picture in batches.compactMap(\.first) {
      // Most batches read what the one before reads.
      if let before, let last = scripts.last, before.hasPrompts(of: picture) {
        scripts.append(last)
        continue
      }
      let script = try PromptScript(picture, request.syntax, timing, usesGuidance: usesGuidance)
      if request.syntax == .a1111 {
        for text in script.allTexts { try check(text, request.promptSettings.emphasis) }
      }
      scripts.append(script)
      before = picture
    }
    return scripts
  }

  private static func check(_ text: String, _ emphasis: Emphasis) throws {
    do {
      _ = try emphasis.texts(text)
    } catch {
      throw CommandError.usage("\(error): \"\(text.prefix(60))\"")
    }
  }

  private static func prompts(_ request: SampleRequest) throws -> [String] {
    guard let path = request.promptFile else { return request.prompts }
    return try request.promptLines ?? PromptFile.lines(path).map(\.text)
  }

  /// The adapters of the prompts, and their texts; the adapters of all pictures must agree, since one
  /// model draws them.
  private static func adapters(
    _ request: SampleRequest, _ prompts: [String], _ seeds: [UInt64],
    _ expansion: inout PromptExpansion
  ) throws -> (tags: [LoraTag], texts: [String]) {
    var result: [LoraTag]?
    var texts: Set<String> = []
    for prompt in prompts {
      for seed in seeds {
        let found = try expansion.prompts(
          prompt, negative: request.negativePrompt, [], seed: seed)
        let tags = found.adapters
        texts.formUnion([found.text, found.negative])
        guard result == nil || result == tags else {
          throw CommandError.usage("the prompts ask for different <lora:…>; draw them one by one")
        }
        result = tags
      }
    }
    return (result ?? [], texts.sorted())
  }
}

extension SamplePlan.Picture {
  /// Whether a picture has the same prompts.
  fileprivate func hasPrompts(of other: Self) -> Bool {
    prompt == other.prompt && text == other.text && negative == other.negative
      && regions == other.regions
  }
}
