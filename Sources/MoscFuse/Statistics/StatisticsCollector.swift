import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport
import MoscSample

/// Gathers what concepts ask of layers: runs the networks as a concept changes them, on prompts with
/// its words.
struct StatisticsCollector {
  /// How pictures of concepts are drawn.
  struct Settings: Hashable, Sendable {
    /// Height and width of the latents.
    var latentSize: Int
    var steps: Int
    var seed: UInt64
    var matchesMixOfShow: Bool
    /// More prompts with a placeholder: for each, concepts are said and drawn once more.
    var prompts: [String] = []
  }

  let compiler: Compiler
  let layers: FusionLayers
  let settings: Settings

  /// Inputs of the text encoder's layers: all prompts, one run for each, without padding, for every
  /// cross-attention layer's copy of the prompt.
  func text(_ concept: FusionConcept, _ model: DiffusersModel) throws -> ConceptMoments {
    guard !layers[.text].isEmpty else { return ConceptMoments() }
    var result = ConceptMoments()
    try encode(concept, model, measuring: layers[.text]) { _, _, moments in
      if let moments { result.add(moments) }
    }
    return result
  }

  /// Inputs of the keys and values: the text states at the concept's tokens and the end token, for
  /// each layer those of its own prompt; every position for a prompt without concept tokens.
  func crossAttention(_ concept: FusionConcept, _ model: DiffusersModel) throws -> ConceptMoments {
    let own = layers[.crossAttention]
    let numbers = Set(own.map { layers.contextNumber($0) }).sorted()
    var sums: [Int: MomentSum] = [:]
    let tokenizer = try PromptTokenizer(model)
    try encode(concept, model, measuring: []) { ids, states, _ in
      let (tokens, width) = (states.shape[1], states.shape[2])
      let floats = states.floats
      for number in numbers {
        let row = ids.count == 1 ? 0 : number
        var sum = sums[number] ?? MomentSum(width: width)
        let hasConcept = ids[row].contains(where: tokenizer.conceptTokens.contains)
        for (position, id) in ids[row].enumerated()
        where !hasConcept || id == tokenizer.end || tokenizer.conceptTokens.contains(id) {
          let start = (row * tokens + position) * width
          sum.add(floats[start..<start + width])
        }
        sums[number] = sum
      }
    }
    return ConceptMoments(
      sums: numbers.compactMap { number in
        let readers = own.filter { layers.contextNumber($0) == number }.map(\.id)
        return sums[number].map { (readers, $0) }
      })
  }

  /// Encodes the prompts without padding: for each the token ids of the layers, and the states.
  private func encode(
    _ concept: FusionConcept, _ model: DiffusersModel, measuring measured: [FusionLayer],
    _ body: ([[Int32]], HostArray, ConceptMoments?) throws -> Void
  ) throws {
    let components = ModelComponents(model, compiler)
    let tokenizer = try PromptTokenizer(model)
    let copies = try model.unet().config.crossAttentionLayers
    for prompt in concept.prompts + settings.prompts.map(concept.said) {
      try Interruption.check()
      let rows = try tokenizer.rows(prompt)
      let ids = rows.map { Array($0.ids.prefix($0.tokenCount)) }
      guard let first = ids.first, Set(ids.map(\.count)).count == 1 else {
        throw CommandError.failure("the copies of \"\(prompt)\" differ in length")
      }
      let shape = TextEncoder.Shape(batch: ids.count, tokens: first.count)
      let program = try MeasuringProgram(
        components, .textEncoder(shape), measuring: measured)
      // A prompt that is the same for all layers counts as often as one that differs.
      let results = try program.run(
        ["input_ids": HostArray(ids.flatMap { $0 }, shape: [ids.count, first.count])],
        weight: ids.count == 1 ? copies : 1)
      guard let states = results["last_hidden_state"] else {
        throw CommandError.failure("the text encoder gave no 'last_hidden_state'")
      }
      try body(ids, states, program.moments)
    }
  }

  /// Inputs of all other layers of the U-Net while it draws the concept, without guidance, once for each prompt.
  ///
  /// - Parameter latents: the initial latents of the first picture; nil for random ones.
  func spatial(
    _ concept: FusionConcept, _ model: DiffusersModel, latents: HostArray?
  ) throws -> ConceptMoments {
    let components = ModelComponents(model, compiler)
    let encoder = try PromptEncoder(components, skippedLayers: 0, compiler.reporter)
    let prompts = [concept.prompts[0]] + settings.prompts.map(concept.said)
    let states = try encoder.encode(Set(prompts))
    let config = try model.unet().config
    let size = settings.latentSize
    let function = ModelFunction.unet(
      UNet.Shape(
        batch: 1, height: size, width: size, tokens: encoder.tokens,
        isLayerwise: states.layers != nil))
    let program = try MeasuringProgram(components, function, measuring: layers[.spatial])
    var schedule = try SchedulerConfig(of: model)
    schedule.endsAtTimestepZero = settings.matchesMixOfShow
    try schedule.check(for: .dpmpp2M)
    if let obstacle = SamplerName.dpmpp2M.obstacle(schedule, steps: settings.steps) {
      throw CommandError.usage("\(settings.steps) steps of statistics: \(obstacle)")
    }
    let denoising = Denoising(
      height: size, width: size, channels: config.inChannels,
      SamplerName.dpmpp2M.scheduler(schedule, steps: settings.steps))
    for (number, prompt) in prompts.enumerated() {
      try program.set(["encoder_hidden_states": try states.context([prompt])])
      var sources = [RandomSourceKind.cpu.source(seed: settings.seed &+ UInt64(number))]
      let place = prompts.count == 1 ? "" : ", picture \(number + 1) of \(prompts.count)"
      _ = try denoising.run(
        "statistics of \(concept.name)\(place)", initial: number == 0 ? latents?.channelsLast : nil,
        sources: &sources, compiler.reporter
      ) { latents, timestep, _ in
        let results = try program.run([
          "sample": latents, "timestep": HostArray([Float(timestep)], shape: [1]),
        ])
        guard let output = results["noise_pred"] else {
          throw CommandError.failure("the U-Net gave no 'noise_pred'")
        }
        return output.floats
      }
    }
    return program.moments
  }
}
