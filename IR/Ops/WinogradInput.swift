/// The input squares of a Winograd convolution, transformed: `v[ξ, t, c] = (Bᵀ d B)[ξ]` where d is
/// the square of channel c with its first pixel at `(m·i, m·j)` for tile `t = (n·p + i)·q + j`.
///
/// - Shapes: x `[n, m·p + 2, m·q + 2, c]`, already padded → `[(m+2)², n·p·q, c]`.
/// - Types: float → f32.
/// - Attributes: `outputs`, the edge m of a tile: 2 or 4.
/// - Errors: `winograd-input.outputs`, `winograd-input.size`.
/// - Gradient: none: the algorithm is chosen after differentiation.
/// - Source: see `WinogradTransform`.
package struct WinogradInput: KernelOp {
  package static let mnemonic = "winograd_input"
  package static let signature = Signature([nil])
  package static let traits: Traits = []
  package static let kernelKind = KernelKind.rounded
  package let transform: WinogradTransform

  package init(_ transform: WinogradTransform) { self.transform = transform }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    transform = try WinogradTransform.read(&reader, prefix: Self.errorPrefix)
  }

  package var attributes: [LabeledAttribute] { transform.attributes }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: results[0].count)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    try expectFloat(x)
    try expectRank(x, 4, "an image")
    let m = transform.outputs
    guard x.shape[1] > 2, x.shape[2] > 2, (x.shape[1] - 2) % m == 0, (x.shape[2] - 2) % m == 0
    else { throw error("size", "expected edges of a multiple of \(m) and 2 pixels, found \(x)") }
    let tiles = x.shape[0] * ((x.shape[1] - 2) / m) * ((x.shape[2] - 2) / m)
    return [.f32(transform.points, tiles, x.shape[3])]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let x = operands[0]
    let (m, edge) = (transform.outputs, transform.edge)
    let (tall, wide) = ((x.type.shape[1] - 2) / m, (x.type.shape[2] - 2) / m)
    let (tiles, channels) = (types[0].shape[1], types[0].shape[2])
    var result = [Double](repeating: 0, count: types[0].count)
    for tile in 0..<tiles {
      let (n, i, j) = (tile / (tall * wide), tile / wide % tall, tile % wide)
      for c in 0..<channels {
        let square = (0..<edge * edge).map { x[[n, m * i + $0 / edge, m * j + $0 % edge, c]] }
        for (point, v) in WinogradTransform.apply(transform.input, square).enumerated() {
          result[(point * tiles + tile) * channels + c] = v
        }
      }
    }
    return [HostTensor(types[0], result)]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "the algorithm of a convolution is chosen after differentiation")
  }
}

extension WinogradTransform {
  /// Reads `outputs: m`.
  static func read(
    _ reader: inout AttributeReader, prefix: String
  ) throws(OpError) -> WinogradTransform {
    let outputs = try reader.int("outputs")
    guard let transform = WinogradTransform(outputs: outputs) else {
      throw OpError("\(prefix).outputs", "expected tiles of 2 or 4 outputs, found \(outputs)")
    }
    return transform
  }

  var attributes: [LabeledAttribute] { [LabeledAttribute("outputs", .int(outputs))] }
}
