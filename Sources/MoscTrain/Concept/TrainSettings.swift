import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscSample

extension TrainPlan {
  /// What a saved state must agree with.
  ///
  /// How many steps are taken is not among it: a run can be made longer, and its learning rates fall later
  /// from there on.
  func settings(_ compiler: Compiler) throws -> RunSettings {
    RunSettings(
      RunSettings.arithmetic(compiler) + (try trained()) + stepping + (try pictures()))
  }

  /// What is trained, from where.
  private func trained() throws -> [RunSettings.Fact] {
    let settings = setup.model
    // Of both networks, the text encoder first.
    func layers(_ fact: (LoRASettings) -> JSONValue) -> JSONValue {
      .array([settings.textEncoder, settings.unet].map { $0.map(fact) ?? .null })
    }
    return try RunSettings.model(model) + [
      ("--lora", .array(try request.model.adapters.files.map { .string(try $0.fact) })),
      ("--concept", .array(settings.words.map { .string($0.text) })),
      ("--init", .array(settings.words.map { .string($0.start.text) })),
      ("--layerwise", .bool(settings.isLayerwise)),
      ("--rank", layers { .int($0.rank) }), ("--alpha", layers { .double($0.alpha) }),
      ("the choice of layers", layers { .string($0.layers.rawValue) }),
      ("--text-encoder-lr", .number(settings.textEncoder?.learningRate)),
      ("--unet-lr", .number(settings.unet?.learningRate)),
      ("--embedding-lr", .number(settings.embedding?.learningRate)),
      ("the embeddings' weight decay", .number(settings.embedding?.weightDecay)),
      ("--embedding-norm", .double(setup.optimiser.embeddingNormThreshold)),
    ]
  }

  /// What happens in a step.
  private var stepping: [RunSettings.Fact] {
    let (settings, optimiser) = (setup.model, setup.optimiser)
    return [
      ("--lr-scheduler", .string(schedule.shape.rawValue)), ("--warm-up", .int(schedule.warmUp)),
      ("--ema", .number(request.averageDecay)),
      ("the weight decay", .double(optimiser.weightDecay)),
      ("the betas", .array([.double(optimiser.beta1), .double(optimiser.beta2)])),
      ("--batch-size", .int(setup.dataset.batchSize)),
      ("--gradient-accumulation", .int(setup.gradientAccumulation)),
      ("--noise-offset", .number(settings.noiseOffset)),
      ("--attention-weight", .number(settings.attentionWeight)),
      ("reg_full_identity", .bool(settings.regularisesFullIdentity)),
      ("--masked-loss", .bool(settings.usesMaskLoss)), ("--seed", .string(String(setup.seed))),
    ]
  }

  /// What is learnt from.
  private func pictures() throws -> [RunSettings.Fact] {
    let data = setup.dataset
    let transforms = data.transforms.enumerated().map { index, list -> JSONValue in
      let count = data.images.count { $0.transforms == index }
      return .string("\(list.map(\.text).joined(separator: ", ")) for \(count) pictures")
    }
    return [
      ("--data", try RunSettings.data(data.images)), ("the transforms", .array(transforms)),
      ("the enlarge ratio", .int(data.enlargeRatio)),
      ("the reduction of masks", .string(data.maskReduction.rawValue)),
      ("--variants", .int(request.variants)),
      (
        "--replay-draws",
        try request.replayDraws.map {
          .string(try RunSettings.file(URL(fileURLWithPath: $0)))
        } ?? .null
      ),
    ]
  }
}

extension AdapterRequest {
  /// The file and its strengths, as the command line spells them.
  fileprivate var fact: String {
    get throws { "\(try RunSettings.file(URL(fileURLWithPath: path))):\(textEncoder):\(unet)" }
  }
}

extension DataTransform {
  /// The transform under the names of configurations.
  fileprivate var text: String {
    switch self {
    case .placeHuman(let size, let chance): "HumanResizeCropFinalV3(\(size), \(chance))"
    case .placeObject(let size, let chance, let scale):
      "ResizeFillMaskNew(\(size), \(chance), \(scale.lowerBound) to \(scale.upperBound))"
    case .resize(.shortSide(let size)): "Resize(\(size))"
    case .resize(.exact(let height, let width)): "Resize(\(height), \(width))"
    case .centerCrop(let height, let width): "CenterCrop(\(height), \(width))"
    case .randomCrop(let height, let width, let isPaired):
      "\(isPaired ? "Pair" : "")RandomCrop(\(height), \(width))"
    case .randomHorizontalFlip(let chance): "RandomHorizontalFlip(\(chance))"
    case .toTensor: "ToTensor"
    case .normalize(let mean, let deviation): "Normalize(\(mean), \(deviation))"
    case .shuffleCaption(let keep): "ShuffleCaption(\(keep))"
    case .enhanceText(let templates): "EnhanceText(\(templates.rawValue))"
    }
  }
}
