import Foundation
import MoscFormats
import MoscModel

/// What suits a model where the user says nothing.
///
/// A model says it in `mosc.json` beside its `model_index.json`, under the names of the options; what it
/// leaves out, and a model without the file, is as Stable Diffusion 1.x.
package struct ModelDefaults: Hashable, Sendable {
  /// Guidance of pictures.
  package var guidance = 7.0
  package var training = TrainingDefaults()
  package var fusion = FusionDefaults()

  package static let stableDiffusion = ModelDefaults()

  /// Those of the embedded model; nil when it is not there.
  package static let embedded: ModelDefaults? = {
    do {
      return try ModelDefaults(of: .embedded())
    } catch {
      return nil
    }
  }()

  private init() {}

  /// - Throws: `FormatError` for keys and values that mean nothing.
  package init(of model: DiffusersModel) throws {
    guard let object = try model.layout.defaults() else { return }
    try Self.check(object, ["guidance", "train", "fuse"])
    guidance = try object.double("guidance", default: guidance)
    guard guidance.isFinite else { throw object.error("guidance", "expected a number") }
    if let fuse = object["fuse"] {
      guard let members = fuse.members else {
        throw object.error("fuse", "expected an object, found \(fuse.kindName)")
      }
      fusion = try FusionDefaults(JSONObject(path: object.path, members: members))
    }
    guard let train = object["train"] else { return }
    guard let members = train.members else {
      throw object.error("train", "expected an object, found \(train.kindName)")
    }
    training = try TrainingDefaults(JSONObject(path: object.path, members: members))
  }

  /// Refuses keys that nothing reads.
  fileprivate static func check(_ object: JSONObject, _ known: [String]) throws {
    for key in object.members.map(\.key) where !known.contains(key) {
      let nearest = NearestName.suggest(key, in: known).map { "; did you mean '\($0)'?" } ?? ""
      throw object.error(key, "nothing reads this key" + nearest)
    }
  }
}

/// How concepts are fused where the user says nothing: here as Mix-of-Show does.
package struct FusionDefaults: Hashable, Sendable {
  /// Prompts besides those of the reference.
  package var prompts = FusionPrompts()
  /// Steps of training after solving, for each concept.
  package var refineSteps = 0
  /// The learning rate of those steps.
  package var refineRate = 1e-4

  fileprivate init() {}

  fileprivate init(_ object: JSONObject) throws {
    try ModelDefaults.check(object, ["prompts", "refine", "refine-lr"])
    if let value = object["prompts"] {
      guard let list = value.array, case let texts = list.compactMap(\.string), texts.count == list.count else {
        throw object.error("prompts", "expected a list of texts")
      }
      prompts = try FusionPrompts(texts) { _, mistake in object.error("prompts", mistake) }
    }
    refineSteps = try object.int("refine", default: refineSteps)
    guard 0...100_000 ~= refineSteps else {
      throw object.error("refine", "expected a number from 0 to 100000, found \(refineSteps)")
    }
    refineRate = try object.double("refine-lr", default: refineRate)
    guard refineRate.isFinite, refineRate > 0 else {
      throw object.error("refine-lr", "expected a number above 0, found \(refineRate)")
    }
  }
}

/// How a concept is taught where the user says nothing: here as Mix-of-Show teaches Stable Diffusion 1.x.
package struct TrainingDefaults: Hashable, Sendable {
  package var steps = 1000
  package var batchSize = 2
  /// The rank of the layers.
  package var rank = 4
  package var layers = AdaptedLayers.attention
  package var embeddingRate = 1e-3
  package var textEncoderRate = 1e-5
  package var unetRate = 1e-4
  /// The mean norm of the embeddings at which they stop being trained.
  package var embeddingNorm = 0.55
  /// The weight of the attention regulariser, for pictures with masks.
  package var attentionWeight = 0.01

  fileprivate init() {}

  fileprivate init(_ object: JSONObject) throws {
    let counts: [(String, WritableKeyPath<Self, Int>, ClosedRange<Int>)] = [
      ("steps", \.steps, 1...10_000_000), ("batch-size", \.batchSize, 1...1024),
      ("rank", \.rank, 1...4096),
    ]
    let numbers: [(String, WritableKeyPath<Self, Double>)] = [
      ("embedding-lr", \.embeddingRate), ("text-encoder-lr", \.textEncoderRate),
      ("unet-lr", \.unetRate), ("embedding-norm", \.embeddingNorm),
      ("attention-weight", \.attentionWeight),
    ]
    try ModelDefaults.check(object, counts.map(\.0) + numbers.map(\.0) + ["layers"])
    if let value = object["layers"] {
      guard let known = value.string.flatMap(AdaptedLayers.init) else {
        let names = AdaptedLayers.allCases.map { "'\($0.rawValue)'" }.joined(separator: " or ")
        throw object.error("layers", "expected \(names), found \(value)")
      }
      layers = known
    }
    for (key, path, range) in counts {
      let number = try object.int(key, default: self[keyPath: path])
      guard range.contains(number) else {
        throw object.error(
          key, "expected a number from \(range.lowerBound) to \(range.upperBound), found \(number)")
      }
      self[keyPath: path] = number
    }
    for (key, path) in numbers {
      let number = try object.double(key, default: self[keyPath: path])
      guard number.isFinite, number >= 0 else {
        throw object.error(key, "expected 0 or more, found \(number)")
      }
      self[keyPath: path] = number
    }
  }
}
