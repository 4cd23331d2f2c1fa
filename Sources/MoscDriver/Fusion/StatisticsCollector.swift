import MoscFormats
import MoscFuse
import MoscIR
import MoscModel
import MoscRuntime
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
  }

  /// What a concept's picture leaves.
  struct Picture {
    var moments: ConceptMoments
    var latents: TensorValue
  }

  let compiler: Compiler
  let layers: FusionLayers
  let settings: Settings

  /// Inputs of the text encoder's layers: both prompts, one run for each, without padding, for every
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
    let end = try PromptTokenizer(model).end
    try encode(concept, model, measuring: []) { ids, states, _ in
      let (tokens, width) = (states.shape[1], states.shape[2])
      let floats = states.floats
      for number in numbers {
        let row = ids.count == 1 ? 0 : number
        var sum = sums[number] ?? MomentSum(width: width)
        // Concept tokens come after the end token, which is the last of CLIP's vocabulary.
        let hasConcept = ids[row].contains { $0 > end }
        for (position, id) in ids[row].enumerated() where id >= end || !hasConcept {
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
    _ body: ([[Int32]], TensorValue, ConceptMoments?) throws -> Void
  ) throws {
    let components = ModelComponents(model, compiler)
    let tokenizer = try PromptTokenizer(model)
    let copies = try model.unet().config.crossAttentionLayers
    for prompt in concept.prompts {
      try Interruption.check()
      let rows = try tokenizer.rows(prompt)
      let ids = rows.map { Array($0.ids.prefix($0.tokenCount)) }
      guard let first = ids.first, Set(ids.map(\.count)).count == 1 else {
        throw DriverError.failure("the copies of \"\(prompt)\" differ in length")
      }
      let shape = TextEncoder.Shape(batch: ids.count, tokens: first.count)
      let program = try MeasuringProgram(
        components, .textEncoder(shape), measuring: measured)
      // A prompt that is the same for all layers counts as often as one that differs.
      let results = try program.run(
        ["input_ids": TensorValue([ids.count, first.count], ids.flatMap { $0 })],
        weight: ids.count == 1 ? copies : 1)
      guard let states = results["last_hidden_state"] else {
        throw DriverError.failure("the text encoder gave no 'last_hidden_state'")
      }
      try body(ids, states, program.moments)
    }
  }

  /// Inputs of all other layers of the U-Net while it draws the concept, without guidance.
  ///
  /// - Parameter latents: the initial latents; nil for random ones.
  func spatial(
    _ concept: FusionConcept, _ model: DiffusersModel, latents: TensorValue?
  ) throws -> Picture {
    let components = ModelComponents(model, compiler)
    let encoder = try PromptEncoder(components, skippedLayers: 0, compiler.reporter)
    let prompt = concept.prompts[0]
    let isLayerwise = encoder.isLayerwise([prompt])
    guard var states = try encoder.encode([prompt])[prompt] else {
      throw DriverError.failure("the prompt '\(prompt)' was not encoded")
    }
    states = TensorValue(
      isLayerwise ? [1] + states.shape : states.shape, states.floats)
    let config = try model.unet().config
    let size = settings.latentSize
    let shape = [1, config.inChannels, size, size]
    let function = ModelFunction.unet(
      UNet.Shape(
        batch: 1, height: size, width: size, tokens: encoder.tokens, isLayerwise: isLayerwise))
    let program = try MeasuringProgram(components, function, measuring: layers[.spatial])
    var schedule = try SchedulerConfig(of: model)
    schedule.endsAtTimestepZero = settings.matchesMixOfShow
    var scheduler = SamplerName.dpmpp2M.scheduler(schedule, steps: settings.steps)
    var source = RandomSourceKind.cpu.source(seed: settings.seed)
    let count = shape.reduce(1, *)
    let initial = latents?.floats ?? source.normals(count)
    var sample = initial.map { $0 * scheduler.initialNoiseScale }
    let what = "statistics of \(concept.name)"
    compiler.reporter.begin(.step, what)
    for (step, timestep) in scheduler.timesteps.enumerated() {
      try Interruption.check()
      let input = TensorValue(shape, scheduler.modelInput(sample, step: step))
      let results = try program.run([
        "sample": input.channelsLast, "timestep": TensorValue([1], [Float(timestep)]),
        "encoder_hidden_states": states,
      ])
      guard let output = results["noise_pred"]?.channelsFirst else {
        throw DriverError.failure("the U-Net gave no 'noise_pred'")
      }
      sample = scheduler.advance(sample, modelOutput: output.floats, step: step) {
        source.normals(count)
      }
      compiler.reporter.progress(.step, what, done: step + 1, of: scheduler.timesteps.count)
    }
    compiler.reporter.end(.step, what)
    guard sample.allSatisfy(\.isFinite) else {
      throw DriverError.failure(
        "drawing '\(concept.name)' ended in numbers that are not finite; its strengths may be too large")
    }
    return Picture(moments: program.moments, latents: TensorValue(shape, sample))
  }
}
