import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport
import MoscSample
import MoscTrain

/// Draws by a model that a fused one is to learn from, and notes what its U-Net predicts on the way.
struct TeacherDrawing {
  let compiler: Compiler
  let settings: StatisticsCollector.Settings
  /// The guidance that pictures of the model are drawn with.
  let guidance: Float

  /// Of how many steps one has an example of the prediction for no prompt.
  ///
  /// The files of concepts disagree there, and no one model predicts what all of them do; it only is to stay near.
  private static let stepsWithoutPrompt = 3

  /// What the U-Net predicts for the prompt in each step of each picture, and now and then for none.
  ///
  /// Latents are those that guidance leads to, as drawing meets them.
  ///
  /// - Parameters:
  ///   - name: what is drawn, for people.
  ///   - prompts: one for each picture.
  func examples(
    of name: String, _ prompts: [String], _ model: DiffusersModel
  ) throws -> [DistillationExample] {
    let components = ModelComponents(model, compiler)
    let encoder = try PromptEncoder(components, skippedLayers: 0, compiler.reporter)
    let states = try encoder.encode(Set(prompts + [""]))
    let config = try model.unet().config
    let size = settings.latentSize
    let program = try MeasuringProgram(
      components,
      .unet(
        UNet.Shape(
          batch: 2, height: size, width: size, tokens: encoder.tokens, isLayerwise: states.layers != nil)),
      measuring: [])
    let denoising = Denoising(
      height: size, width: size, channels: config.inChannels,
      SamplerName.dpmpp2M.scheduler(try SchedulerConfig(of: model), steps: settings.steps))
    let none = try states.context([""])
    var examples: [DistillationExample] = []
    for (number, prompt) in prompts.enumerated() {
      let said = try states.context([prompt])
      try program.set([
        "encoder_hidden_states": HostArray(said.floats + none.floats, shape: [2] + said.shape.dropFirst())
      ])
      // Other noise than that of the statistics.
      let seed = RunSeed(settings.seed).generator(.noise, number)
      var sources = [RandomSourceKind.cpu.source(seed: seed)]
      _ = try denoising.run(
        "\(name), picture \(number + 1) of \(prompts.count)", initial: nil, sources: &sources,
        compiler.reporter
      ) { latents, timestep, step in
        let results = try program.run([
          "sample": HostArray(latents.floats + latents.floats, shape: [2] + latents.shape.dropFirst()),
          "timestep": HostArray([Float(timestep), Float(timestep)], shape: [2]),
        ])
        guard let output = results["noise_pred"]?.floats else {
          throw CommandError.failure("the U-Net gave no 'noise_pred'")
        }
        let parts = [output[..<latents.count], output[latents.count...]].map(Array.init)
        for (text, part) in zip([prompt, ""], parts)
        where !text.isEmpty || (number + step) % Self.stepsWithoutPrompt == 0 {
          examples.append(
            DistillationExample(
              sample: latents, timestep: timestep, prompt: text, target: HostArray(part, shape: latents.shape)))
        }
        return zip(parts[0], parts[1]).map { $1 + guidance * ($0 - $1) }
      }
    }
    return examples
  }
}
