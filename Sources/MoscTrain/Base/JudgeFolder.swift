import Foundation
import MoscFormats
import MoscModel
import MoscRandom

/// The folder of a CLIP model that pretraining makes.
struct JudgeFolder {
  let url: URL
  let savedType: SavedType

  /// The folder of checkpoints and logs inside.
  var training: URL { url.appending(path: "training") }

  private static let weightsName = "model.safetensors"

  /// The model as it is now.
  func model() throws -> CLIPModelFolder { try CLIPModelFolder(at: url) }

  /// Makes the folder from the configuration of another, whole or not at all.
  ///
  /// - Parameter keepsWeights: whether its weights are kept; else they are drawn.
  func create(from source: CLIPModelFolder, keepsWeights: Bool, _ random: RunSeed) throws {
    try makeWholeFolder(url) { partial in
      try JudgeFolder(url: partial, savedType: savedType).fill(from: source, keepsWeights: keepsWeights, random)
    }
  }

  private func fill(from source: CLIPModelFolder, keepsWeights: Bool, _ random: RunSeed) throws {
    try makeFolder(training)
    for name in try namesInFolder(source.url).sorted()
    where name.hasSuffix(".json") || name.hasSuffix(".txt") {
      try AtomicFile.write(
        try readFile(source.url.appending(path: name)), to: url.appending(path: name))
    }
    try write(keepsWeights ? try source.canonicalWeights() : try Self.drawn(source, random))
  }

  private static func drawn(_ model: CLIPModelFolder, _ random: RunSeed) throws -> [String: HostArray] {
    var shapes = try model.requests().shapes
    shapes[CLIPModelFolder.logitScale] = [1]
    var weights: [String: HostArray] = [:]
    for (index, (name, shape)) in shapes.sorted(by: { $0.key < $1.key }).enumerated() {
      weights[name] = random.filled(model.filling(name), shape, index, salt: 0)
    }
    return weights
  }

  /// Writes the weights; files hold the scale of cosines without an axis.
  func write(_ weights: [String: HostArray]) throws {
    var weights = weights
    weights[CLIPModelFolder.logitScale]?.shape = []
    try savedType.write(weights, to: url.appending(path: Self.weightsName))
  }
}

extension CLIPModelFolder {
  /// All weights as f32, the scale of cosines among them; where files have none, it is where training
  /// starts.
  func canonicalWeights() throws -> [String: HostArray] {
    let part = try weights()
    var result = part.arrays
    var scale: [Float] = []
    for file in part.files.files {
      guard let stored = file.weight(Self.logitScale) else { continue }
      scale = withExtendedLifetime(file) { ElementType.floats(stored.bytes, stored.dtype) }
    }
    if scale.isEmpty, case .constant(let start) = filling(Self.logitScale) { scale = [Float(start)] }
    result[Self.logitScale] = HostArray(scale, shape: [scale.count])
    return result
  }
}
