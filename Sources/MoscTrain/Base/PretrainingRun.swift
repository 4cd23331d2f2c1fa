import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscRandom
import MoscReport
import MoscSample

/// One stage with everything that its steps need.
struct PretrainingRun {
  private let stopAfter: Int?
  private var loop: TrainingLoop<PretrainingTask>

  /// - Parameters:
  ///   - folder: the folder of checkpoints and logs.
  ///   - fixed: what of the model the run depends on and does not change.
  init(
    _ stage: PretrainingStage, _ trained: any TrainedStage, _ request: PretrainRequest,
    _ folder: URL, fixed: [RunSettings.Fact], _ set: PictureSet, _ compiler: Compiler
  ) throws {
    let recipe = request.recipe(stage)
    func file(_ suffix: String) -> URL {
      folder.appending(path: "\(stage.rawValue).\(suffix)")
    }
    let start = try TrainingState.open(
      file("safetensors"), request.settings(stage, fixed: fixed, set, compiler),
      TrainingState.Policy(resumes: request.resumes, overwrites: false))
    let (training, held) = set.split(holdingOut: request.validation)
    let plan = BatchPlan(
      sizes: set.sizes, pictures: training, batch: recipe.batch, random: RunSeed(request.seed))
    let modules = try plan.groups.map(trained.module)
    let groups = try Self.groups(modules.first?.trained ?? [], try trained.weights(), recipe)
    let state = try TrainingState(start, groups)
    let task = try PretrainingTask(
      trained, recipe, plan,
      held: plan.batches(of: held) { (set.sizes[$0].height, set.sizes[$0].width) }, modules,
      groups, compiler)
    let every = max(1, request.logEvery)
    loop = try TrainingLoop(
      task,
      LoopPlan(
        title: stage.rawValue, steps: recipe.steps,
        schedule: LearningRateSchedule(
          .cosine, warmUp: recipe.warmUp, total: Double(recipe.steps)),
        saveEvery: max(1, request.saveEvery), saveSeconds: request.saveSeconds, logEvery: every,
        reportEvery: every),
      state,
      // The second moment follows gradients more quickly than in long runs.
      Optimiser(AdamW(beta1: 0.9, beta2: 0.99), groups, compiler),
      TrainingLog(file("jsonl"), picture: file("svg"), through: state.step), compiler.reporter)
    stopAfter = request.stopAfter
  }

  /// The tensors that a step trains, with their start.
  private static func groups(
    _ trained: [(name: String, shape: [Int])], _ start: [String: HostArray],
    _ recipe: PretrainingRecipe
  ) throws -> [ParameterGroup] {
    // Decay pulls weights to zero; norms, biases and embeddings have no reason to go there.
    func decays(_ tensor: (name: String, shape: [Int])) -> Bool {
      tensor.shape.count > 1 && !tensor.name.contains("embedding.weight")
    }
    var groups: [ParameterGroup] = []
    for (name, tensors, decay) in [
      ("matrices", trained.filter(decays), recipe.weightDecay),
      ("vectors", trained.filter { !decays($0) }, 0),
    ] where !tensors.isEmpty {
      let group = try ParameterGroup(
        name, FlatLayout(tensors), learningRate: recipe.learningRate, weightDecay: decay,
        keepsAverage: true)
      try group.start { start[$0] }
      groups.append(group)
    }
    return groups
  }

  /// Trains to the end, or as many steps as were asked for.
  ///
  /// - Returns: whether the end was reached.
  mutating func run() throws -> Bool { try loop.run(atMost: stopAfter) }
}
