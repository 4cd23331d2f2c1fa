/// The second moments of rows, `G[i,j] = Σ x[…,i] · x[…,j]` over all rows, in two floats each: the
/// sum rounded to f32, and what that leaves.
///
/// G is symmetric, so both halves of the result are used: for i ≤ j the rounded sum is `y[i, j+1]`,
/// the rest of it `y[c−1−i, c−1−j]`. Sums and products are f64, rows in their order, so that sums over
/// parts of the rows add up to the sum over all of them to nearly 48 bits.
///
/// With a `chunk` above 1, products of so many rows at a time are added in f32 before the f64 sum
/// takes them: half the arithmetic, at an error of about 2⁻²⁴·√chunk for a chunk, which averages out
/// over chunks.
///
/// - Shapes: x `[…, c]` → `[c, c+1]`.
/// - Types: f32.
/// - Errors: `gram.dtype`, `gram.rank`, `gram.chunk`.
/// - Gradient: none: moments are gathered from networks that are not trained meanwhile.
package struct Gram: KernelOp {
  package static let mnemonic = "gram"
  package static let signature = Signature([nil])
  package static let traits: Traits = .reduction
  package static let kernelKind = KernelKind.single

  /// Rows whose products are added in f32; 1 for all in f64.
  package var chunk: Int

  package init(chunk: Int = 1) { self.chunk = chunk }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    chunk = try reader.optionalInt("chunk") ?? 1
  }

  package var attributes: [LabeledAttribute] {
    chunk == 1 ? [] : [LabeledAttribute("chunk", .int(chunk))]
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: OpCost.product(results[0].count, operands[0].rows))
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    guard x.dtype == .f32 else { throw error("dtype", "expected f32 rows, found \(x)") }
    guard x.rank >= 1 else { throw error("rank", "expected rows of channels, found \(x)") }
    guard (1...256).contains(chunk) else {
      throw error("chunk", "expected 1 to 256 rows, found \(chunk)")
    }
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
        for first in stride(from: 0, to: rows, by: chunk) {
          var part = 0.0
          for row in first..<min(first + chunk, rows) {
            part += x.elements[row * width + i] * x.elements[row * width + j]
            if chunk > 1 { part = DType.f32.round(part) }
          }
          sum += part
        }
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
  package mutating func gram(
    _ x: ValueID, chunk: Int = 1, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.gram(Gram(chunk: chunk)), [x], name: name)
  }
}
