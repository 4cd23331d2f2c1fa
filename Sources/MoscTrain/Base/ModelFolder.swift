import Foundation
import MoscFormats
import MoscModel
import MoscNetworks
import MoscRandom

/// The model folder that pretraining makes: first the start, then what was learnt.
struct ModelFolder {
  let url: URL
  let savedType: SavedType

  /// The folder of checkpoints and logs inside.
  var training: URL { url.appending(path: "training") }

  /// The model as it is now.
  func model() throws -> DiffusersModel { try DiffusersModel(at: url) }

  /// Makes the folder from another model, whole or not at all.
  ///
  /// - Parameters:
  ///   - source: gives configuration, tokenizer, scheduler and the weights that are not drawn.
  ///   - drawn: the parts that start from random weights.
  func create(
    from source: DiffusersModel, drawing drawn: Set<DiffusersModel.Component>, _ random: RunSeed
  ) throws {
    try makeWholeFolder(url) { partial in
      try ModelFolder(url: partial, savedType: savedType).fill(from: source, drawing: drawn, random)
    }
  }

  private func fill(
    from source: DiffusersModel, drawing drawn: Set<DiffusersModel.Component>, _ random: RunSeed
  ) throws {
    for name in ["tokenizer", "scheduler"] + DiffusersModel.Component.allCases.map(\.rawValue) {
      try makeFolder(url.appending(path: name))
    }
    try makeFolder(training)
    try DiffusersFolder(url: url).writeAllButWeights(of: source)
    for component in DiffusersModel.Component.allCases {
      let weights =
        drawn.contains(component)
        ? try Self.drawn(source, component, random) : try source.canonicalWeights(component)
      try write(component, weights)
    }
  }

  /// Random weights by name.
  private static func drawn(
    _ model: DiffusersModel, _ component: DiffusersModel.Component, _ random: RunSeed
  ) throws -> [String: HostArray] {
    let start = try WeightInitialisation(model, component)
    let salt = UInt32(DiffusersModel.Component.allCases.firstIndex(of: component) ?? 0) << 8
    var weights: [String: HostArray] = [:]
    for (index, name) in start.names.enumerated() {
      weights[name] = random.filled(
        start.filling(name), start.shapes[name] ?? [], index, salt: salt)
    }
    return weights
  }

  /// Writes the weights of a part, in the order of their names.
  func write(_ component: DiffusersModel.Component, _ weights: [String: HostArray]) throws {
    let file = url.appending(path: "\(component.rawValue)/\(component.stem).safetensors")
    try savedType.write(weights, to: file)
  }

  /// Changes one number of the autoencoder's configuration.
  func setScalingFactor(_ factor: Double) throws {
    let config = try JSONObject(contentsOf: url.appending(path: "vae/config.json"))
    let members = config.members.filter { $0.key != "scaling_factor" }
    try DiffusersFolder(url: url).write(
      .object(members + [JSONValue.Member("scaling_factor", .double(factor))]),
      to: "vae/config.json")
  }
}

/// Fills a folder beside its place and moves it there: it is whole or not there.
func makeWholeFolder(_ url: URL, _ fill: (_ partial: URL) throws -> Void) throws {
  let partial = url.deletingLastPathComponent().appending(path: ".\(url.lastPathComponent).partial")
  try? FileManager.default.removeItem(at: partial)
  try fill(partial)
  try FileManager.default.moveItem(at: partial, to: url)
}

extension DiffusersModel {
  /// All weights of a part under the names that current files use, as f32.
  ///
  /// - Throws: what is wrong with its files.
  func canonicalWeights(_ component: Component) throws -> [String: HostArray] {
    try weights(component).arrays
  }
}

extension PartWeights {
  /// All weights under the names that current files use, as f32.
  var arrays: [String: HostArray] {
    Dictionary(
      uniqueKeysWithValues: all.map { tensor in
        let floats = withExtendedLifetime(tensor.file) {
          ElementType.floats(tensor.stored.bytes, tensor.stored.dtype)
        }
        return (tensor.name, HostArray(floats, shape: tensor.shape))
      })
  }
}

extension RunSeed {
  /// A tensor of an untrained model.
  ///
  /// - Parameter index: its number among those of its part.
  func filled(
    _ filling: WeightInitialisation.Filling, _ shape: [Int], _ index: Int, salt: UInt32
  ) -> HostArray {
    let count = shape.reduce(1, *)
    let values: [Float]
    switch filling {
    case .constant(let number): values = [Float](repeating: Float(number), count: count)
    case .uniform(let limit):
      values = (0..<count).map { place in
        Float((2 * uniform(.initialisation, index, place, salt: salt) - 1) * limit)
      }
    case .normal(let deviation):
      values = normals(.initialisation, index, count, salt: salt).map { $0 * Float(deviation) }
    }
    return HostArray(values, shape: shape)
  }
}

extension SavedType {
  /// Writes weights in the order of their names.
  func write(_ weights: [String: HostArray], to file: URL) throws {
    let tensors = weights.sorted { $0.key < $1.key }.map { name, values in
      (name, self == .f16 ? values.halved : values)
    }
    try SafetensorsFile.write(tensors, metadata: ["format": "pt"], to: file)
  }
}

extension HostArray {
  /// The numbers rounded to f16.
  fileprivate var halved: HostArray { HostArray(floats.map { Float16($0) }, shape: shape) }
}
