/// The second moments of rows, `G[i,j] = Σ x[…,i] · x[…,j]` over all rows, in two floats each: the
/// sum rounded to f32, and what that leaves.
///
/// G is symmetric, so both halves of the result are used: for i ≤ j the rounded sum is `y[i, j+1]`,
/// the rest of it `y[c−1−i, c−1−j]`. Sums and products are f64, rows in their order, so that sums over
/// parts of the rows add up to the sum over all of them to nearly 48 bits.
///
/// - Shapes: x `[…, c]` → `[c, c+1]`.
/// - Types: f32.
/// - Errors: `gram.dtype`, `gram.rank`.
/// - Gradient: none: moments are gathered from networks that are not trained meanwhile.
package struct Gram: TensorOp {
  package static let mnemonic = "gram"
  package static let signature = Signature([nil])
  package static let traits: Traits = .reduction

  package init() {}

  package init(reading reader: inout AttributeReader) throws(OpError) { self.init() }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    guard x.dtype == .f32 else { throw error("dtype", "expected f32 rows, found \(x)") }
    guard x.rank >= 1 else { throw error("rank", "expected rows of channels, found \(x)") }
    return [.f32(x.lastExtent, x.lastExtent + 1)]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let x = operands[0]
    let width = x.type.lastExtent
    let rows = x.type.count / max(1, width)
    var result = [Double](repeating: 0, count: types[0].count)
    for i in 0..<width {
      for j in i..<width {
        var sum = 0.0
        for row in 0..<rows { sum += x.elements[row * width + i] * x.elements[row * width + j] }
        let rounded = DType.f32.round(sum)
        result[i * (width + 1) + j + 1] = rounded
        result[(width - 1 - i) * (width + 1) + width - 1 - j] = sum - rounded
      }
    }
    return [HostTensor(types[0], result)]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "moments are gathered from networks that are not trained meanwhile")
  }
}

extension Graph {
  /// Appends `gram`.
  package mutating func gram(_ x: ValueID, name: String? = nil) throws(Diagnostic) -> ValueID {
    try emit(.gram(Gram()), [x], name: name)
  }
}
