import MoscFormats
import MoscIR

/// What the layers of one network read: the tensors of its files, and what changes the layers.
package struct NetworkWeights: Sendable {
  /// The tensors of the files; nil to accept every request as f32, and only record it.
  package let table: WeightTable?
  package var hooks = LayerHooks()
  /// What the network has asked for so far.
  package private(set) var requests = WeightRequests()
  /// The declaration that recorded weights name.
  private let source: String

  /// The weights in files.
  package init(_ table: WeightTable) {
    self.table = table
    source = ""
  }

  /// Weights without files.
  package init(recording source: String) {
    table = nil
    self.source = source
  }

  /// Appends the `param` of a tensor, as f32: a half-precision one gets a `cast`.
  ///
  /// - Errors: `weights.missing`, `weights.shape`, `weights.dtype`.
  mutating func weight(
    _ name: String, _ shape: [Int], in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    requests.add(name, shape)
    guard let table else {
      return try graph.param(name, in: source, TensorType(.f32, shape), name: name)
    }
    let found = try table.match(name, shape, besides: requests)
    if hooks.trained == .weights {
      return hooks.trainedInput(name, TensorType(.f32, shape), in: &graph)
    }
    let isPlain = found.dtype == .f32 && !found.isPointwise
    var value = try graph.param(
      found.name, in: found.tensor.source, TensorType(found.dtype, found.tensor.shape),
      name: isPlain ? name : "\(name).stored")
    if found.dtype != .f32 {
      value = try graph.cast(value, to: .f32, name: found.isPointwise ? nil : name)
    }
    if found.isPointwise { value = try graph.reshape(value, to: shape, name: name) }
    return try hooks.changed(value, name, in: &graph)
  }
}
