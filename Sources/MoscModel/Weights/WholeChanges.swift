import MoscFormats

/// The changes of an adapter that are sums of a tensor's own shape, for the model's tensors.
struct WholeChanges {
  /// What multiplies them.
  private(set) var tensors: [(String, HostArray)] = []
  /// The changes, computed when they are asked for.
  private(set) var changed: [LazyTensors.Entry] = []
  private(set) var changes: Set<LayerID> = []
  private(set) var layers: Set<LayerID> = []
  private(set) var unmatched: [(name: String, reason: String)] = []

  /// - Throws: for changes of another shape, or that hold something else than numbers.
  init(
    _ wholeLayers: [AdapterFile.WholeLayer], path: String, _ strength: AdapterStrength,
    _ model: DiffusersModel
  ) throws {
    for network in AdapterFile.Network.allCases {
      let own = wholeLayers.filter { $0.network == network }
      if own.isEmpty { continue }
      let groups = try model.tensorGroups(network.component)
      let names = LDMNames(try model.unet().config)
      for layer in own {
        guard let group = groups[layer.key] else {
          leaveOut(layer, "has no such layer", nearest: groups.keys.sorted())
          continue
        }
        let parts = layer.change.changed
        if let missing = parts.first(where: { group.shapes[$0] == nil }) {
          leaveOut(layer, "has no \(missing) in '\(group.path)'", nearest: [])
          continue
        }
        let further = layer.change.changedIfPresent.filter { group.shapes[$0] != nil }
        for part in parts + further {
          try add(
            layer, LayerID(network, "\(group.path).\(part)"), part, group.shapes[part] ?? [],
            strength.strength(LayerID(network, group.path), names), path, model)
        }
        layers.insert(LayerID(network, group.path))
      }
    }
  }

  private mutating func add(
    _ layer: AdapterFile.WholeLayer, _ id: LayerID, _ part: String, _ shape: [Int],
    _ strength: Float, _ path: String, _ model: DiffusersModel
  ) throws {
    let tensor = ChangedTensor(part: part, shape: shape, path: path, layer: id.path) {
      try model.values(id.path, id.network.component)
    }
    try layer.change.check(tensor)
    guard changes.insert(id).inserted else {
      throw FormatError(path, "layer '\(id.path)'", "is there twice")
    }
    let change = layer.change
    changed.append(
      LazyTensors.Entry(name: AdapterTensor.change(id).name, shape: shape) { try change.change(of: tensor) })
    tensors.append((AdapterTensor.scale(id).name, HostArray([layer.scale * strength], shape: [1])))
  }

  private mutating func leaveOut(
    _ layer: AdapterFile.WholeLayer, _ reason: String, nearest known: [String]
  ) {
    let hint = NearestName.suggest(layer.key, in: known).map { "; the nearest layer is '\($0)'" } ?? ""
    unmatched += layer.names.map {
      ($0, "the \(layer.network.component.rawValue) \(reason)\(hint)")
    }
  }
}

extension DiffusersModel {
  /// Changes of layers as products of full rank: the change itself, beside the identity.
  ///
  /// - Throws: for changes of another shape, and for those of biases and normalisations, which are no layers.
  package func factors(
    of wholeLayers: [AdapterFile.WholeLayer], path: String
  ) throws -> (layers: [AdapterFile.Layer], unmatched: [(name: String, reason: String)]) {
    let whole = try WholeChanges(wholeLayers, path: path, AdapterStrength(), self)
    let arrays = Dictionary(whole.tensors, uniquingKeysWith: { $1 })
    let changes = Dictionary(whole.changed.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    var layers: [AdapterFile.Layer] = []
    for id in whole.changes.sorted(by: { $0.description < $1.description }) {
      guard let change = changes[AdapterTensor.change(id).name], let dot = id.path.lastIndex(of: "."),
        let scale = arrays[AdapterTensor.scale(id).name]?.floats.first
      else { continue }
      guard id.path[dot...] == ".weight", change.shape.count >= 2 else {
        throw FormatError(
          path, "tensor '\(id.path)'", "changes a bias or a normalisation, which cannot be fused")
      }
      let out = change.shape[0]
      var identity = [Float](repeating: 0, count: out * out)
      for row in 0..<out { identity[row * out + row] = 1 }
      let ones = [Int](repeating: 1, count: change.shape.count - 2)
      layers.append(
        AdapterFile.Layer(
          network: id.network, key: LayerID(id.network, String(id.path[..<dot])).key, names: [id.path],
          down: HostArray(try change.values(), shape: change.shape), up: HostArray(identity, shape: [out, out] + ones), scale: scale))
    }
    return (layers, whole.unmatched)
  }
}
