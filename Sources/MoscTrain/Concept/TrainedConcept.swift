import Foundation
import MoscFormats
import MoscModel

/// The one adapter of a model as training sees it: groups of parameters, and their names in files.
package struct TrainedConcept {
  /// The names of the groups, in the order in which files of the reference list them.
  package enum Group: String, CaseIterable {
    case embedding
    case textEncoder = "text_encoder"
    case unet

    /// The group of a trained tensor.
    init(of tensor: AdapterTensor) {
      switch tensor {
      case .tokenRows: self = .embedding
      case .factor(let layer, _), .scale(let layer), .change(let layer):
        self =
          switch layer.network {
          case .textEncoder: .textEncoder
          case .unet: .unet
          }
      }
    }
  }

  /// A tensor of a concept's file.
  package enum Tensor {
    /// The embeddings of a word.
    case word(String)
    case factor(LayerID, AdapterTensor.Factor)

    /// The name that the reference's files give it.
    package var name: String {
      switch self {
      case .word(let text): "\(Group.embedding.rawValue).\(text)"
      case .factor(let layer, let factor): "\(AdapterTensor.factor(layer, factor).name).weight"
      }
    }
  }

  package let model: DiffusersModel

  package init(_ model: DiffusersModel) { self.model = model }

  /// The groups of a step's trained tensors with the adapter's present values.
  package func groups(
    _ training: TrainingModule, _ settings: ModelSettings, _ optimiser: OptimiserSettings,
    accumulates: Bool = false, keepsAverage: Bool = false
  ) throws -> [ParameterGroup] {
    let members = Dictionary(grouping: training.trained) {
      AdapterTensor($0.name).map(Group.init)
    }
    return try Group.allCases.compactMap { kind in
      guard let tensors = members[kind] else { return nil }
      let tuning: TuningSettings? =
        switch kind {
        case .embedding: settings.embedding
        case .textEncoder: settings.textEncoder.map { TuningSettings(learningRate: $0.learningRate) }
        case .unet: settings.unet.map { TuningSettings(learningRate: $0.learningRate) }
        }
      let group = try ParameterGroup(
        kind.rawValue, FlatLayout(tensors.map { ($0.name, $0.shape) }),
        learningRate: tuning?.learningRate ?? 0,
        weightDecay: tuning?.weightDecay ?? optimiser.weightDecay, accumulates: accumulates,
        keepsAverage: keepsAverage)
      try group.start(model.adapterTensor)
      return group
    }
  }

  /// The tensors of an array as files hold them: the words one by one, factors in the ranks of the
  /// file.
  package func tensors(
    _ array: ParameterGroup.Role, of groups: [ParameterGroup]
  ) -> [(tensor: Tensor, values: HostArray)] {
    groups.flatMap { $0.tensors(array) }.flatMap {
      name, values -> [(tensor: Tensor, values: HostArray)] in
      switch AdapterTensor(name) {
      case .tokenRows: rows(values)
      case .factor(let layer, let factor):
        [(.factor(layer, factor), trimmed(layer, factor, values))]
      case .scale, .change, nil: []
      }
    }
  }

  /// The rows of each word.
  private func rows(_ values: HostArray) -> [(tensor: Tensor, values: HostArray)] {
    let width = values.shape[1]
    let floats = values.floats
    var first = 0
    return model.adapters.words.map { word in
      let count = word.tokenIDs.count
      defer { first += count }
      let part = [Float](floats[first * width..<(first + count) * width])
      return (.word(word.text), HostArray(part, shape: [count, width]))
    }
  }

  /// A factor without the zeros that round its rank up.
  private func trimmed(
    _ layer: LayerID, _ factor: AdapterTensor.Factor, _ values: HostArray
  ) -> HostArray {
    let isDown = factor == .down
    let ranks = model.adapters.adapters.compactMap { $0.fileRanks[layer] }
    guard let rank = ranks.first else { return values }
    let floats = values.floats
    let padded = isDown ? values.shape[0] : values.shape[1]
    if padded == rank { return values }
    if isDown {
      let depth = values.count / padded
      return HostArray(
        [Float](floats[..<(rank * depth)]), shape: [rank] + values.shape.dropFirst())
    }
    let kept = (0..<values.shape[0]).flatMap { floats[$0 * padded..<$0 * padded + rank] }
    return HostArray(kept, shape: [values.shape[0], rank] + values.shape.dropFirst(2))
  }
}

extension TrainedConcept {
  /// Which groups a run changes.
  package func isTrained(_ settings: ModelSettings) -> [(Group, Bool)] {
    [
      (.embedding, settings.embedding != nil), (.textEncoder, settings.textEncoder != nil),
      (.unet, settings.unet != nil),
    ]
  }

  /// The mean Euclidean norm of the words' embeddings.
  package func meanRowNorm(_ groups: [ParameterGroup]) -> Double {
    guard let group = groups.first(where: { $0.name == Group.embedding.rawValue }),
      let rows = group.tensors(.parameters).first?.values
    else { return 0 }
    let (count, width) = (rows.shape[0], rows.shape[1])
    let floats = rows.floats
    let norms = (0..<count).map { row in
      floats[row * width..<(row + 1) * width].reduce(0.0) { $0 + Double($1) * Double($1) }
        .squareRoot()
    }
    return norms.reduce(0, +) / Double(max(1, count))
  }
}

extension TrainedConcept {
  /// The multiplier of a layer.
  func scale(_ layer: LayerID) -> Float {
    model.adapterTensor(AdapterTensor.scale(layer).name)?.floats.first ?? 1
  }

  /// The layers and words with their present values, the running means where they are kept.
  func contents(
    _ groups: [ParameterGroup]
  ) -> (layers: [AdapterFile.Layer], words: [AdapterFile.Word]) {
    let array: ParameterGroup.Role =
      groups.contains(where: \.keepsAverage) ? .average : .parameters
    var layers: [LayerID: AdapterFile.Layer] = [:]
    var words: [AdapterFile.Word] = []
    for (tensor, values) in tensors(array, of: groups) {
      switch tensor {
      case .word(let text): words.append(AdapterFile.Word(text: text, rows: values))
      case .factor(let id, let factor):
        var layer = layers[id] ?? AdapterFile.Layer(
          network: id.network, key: id.key, down: values, up: values, scale: scale(id))
        switch factor {
        case .down: layer.down = values
        case .up: layer.up = values
        }
        layers[id] = layer
      }
    }
    return (layers.sorted { $0.key.description < $1.key.description }.map(\.value), words)
  }
}
