import MoscFormats
import MoscIR

/// What training changes: these tensors are inputs of a function, not weights of a file.
package enum TrainedTensors: Hashable, Sendable {
  case none
  /// The low-rank factors of adapters, and the rows of added tokens.
  case adapters
  /// All weights of the files.
  case weights
}

/// Layers whose inputs' second moments become results of a function.
package struct MeasuredLayers: Hashable, Sendable {
  package var paths: Set<String>
  /// Rows whose products are added in f32, see `Gram`.
  package var chunk: Int

  package init(_ paths: Set<String>, chunk: Int = 1) {
    self.paths = paths
    self.chunk = chunk
  }
}

/// What happens at the layers of a network besides their own arithmetic, and the values that leaves.
package struct LayerHooks: Sendable {
  var adapters: [AdapterSet.Adapter] = []
  /// What adapters call the network; nil for one that they leave alone.
  var network: AdapterFile.Network?
  /// The tokens whose rows adapters bring; they follow those of tokenizer and table.
  var addedTokens = 0..<0
  /// What is read from inputs, because training changes it in every step.
  var trained = TrainedTensors.none
  var measured: MeasuredLayers?
  /// Adapters that act in parts of the picture.
  var regional: RegionalBranches?
  /// The inputs that stand for trained tensors, in the order in which layers asked for them.
  package private(set) var trainedInputs: [ValueID] = []
  /// The moments so far; layers that read the same value share them.
  private(set) var moments: [(input: ValueID, sum: ValueID, layers: [String])] = []

  /// Appends the branches of all adapters that change a layer, after its own output.
  ///
  /// - Parameters:
  ///   - base: the layer's output.
  ///   - input: its input.
  ///   - shape: the shape of its weight.
  mutating func adapted(
    _ base: ValueID, input: ValueID, _ path: String, _ shape: [Int], stride: Int = 1, pad: Int = 0,
    in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    try measure(input, path, in: &graph)
    guard let network else { return base }
    let layer = LayerID(network, path)
    var result = base
    for adapter in adapters {
      guard let rank = adapter.ranks[layer] else { continue }
      let ones = [Int](repeating: 1, count: shape.count - 2)
      let source = adapter.declaration.name
      let name = "\(path).\(source)"
      let down = try added(
        .factor(layer, .down), source, [rank] + shape.dropFirst(), name: "\(name).down",
        in: &graph)
      let up = try added(
        .factor(layer, .up), source, [shape[0], rank] + ones, name: "\(name).up",
        in: &graph)
      let scale = try graph.param(
        AdapterTensor.scale(layer).name, in: source, .f32(1), name: "\(name).scale")
      result = try graph.lora(
        result, input: input, down: down, up: up, scale: scale, stride: stride, pad: pad,
        name: name)
    }
    return try regional?.append(
      to: result, input: input, path, shape, stride: stride, pad: pad, in: &graph) ?? result
  }

  /// Appends the branches of a layer without positions to the image that its output was added to.
  mutating func shifted(
    _ image: ValueID, embedding: ValueID, _ path: String, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    try regional?.append(toShifted: image, embedding: embedding, path, in: &graph) ?? image
  }

  /// A tensor of the model with what adapters add to it; known at load, as the tensor is.
  func changed(
    _ value: ValueID, _ name: String, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    guard let network else { return value }
    let id = LayerID(network, name)
    var result = value
    for adapter in adapters where adapter.changes.contains(id) {
      let source = adapter.declaration.name
      let type = graph.type(value)
      let change = try graph.param(
        AdapterTensor.change(id).name, in: source, type, name: "\(name).\(source).change")
      let scale = try graph.param(
        AdapterTensor.scale(id).name, in: source, .f32(1), name: "\(name).\(source).scale")
      let ones = [Int](repeating: 1, count: type.rank)
      let scaled = try graph.mul(change, try graph.reshape(scale, to: ones))
      result = try graph.add(result, scaled, name: "\(name).\(source)")
    }
    return result
  }

  /// The rows of the added tokens, `[n, width]`.
  mutating func tokenRows(width: Int, in graph: inout Graph) throws(Diagnostic) -> ValueID {
    try added(
      .tokenRows, AdapterSet.rowsDeclaration.name, [addedTokens.count, width],
      name: AdapterTensor.tokenRows.name, in: &graph)
  }

  /// An input that stands for a trained tensor.
  mutating func trainedInput(
    _ name: String, _ type: TensorType, in graph: inout Graph
  ) -> ValueID {
    let id = graph.parameter(name, type)
    trainedInputs.append(id)
    return id
  }

  /// A tensor of an adapter, an input when it is trained.
  private mutating func added(
    _ tensor: AdapterTensor, _ source: String, _ shape: [Int], name: String, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let type = TensorType(.f32, shape)
    if trained == .adapters { return trainedInput(tensor.name, type, in: &graph) }
    return try graph.param(tensor.name, in: source, type, name: name)
  }

  /// Sums up what a measured layer reads.
  private mutating func measure(
    _ input: ValueID, _ path: String, in graph: inout Graph
  ) throws(Diagnostic) {
    guard let measured, measured.paths.contains(path) else { return }
    if let index = moments.firstIndex(where: { $0.input == input }) {
      moments[index].layers.append(path)
    } else {
      moments.append((input, try graph.gram(input, chunk: measured.chunk), [path]))
    }
  }
}
