/// The packed weights of a layer's backward pass, made from those of the layer itself: outputs and
/// inputs exchanged, kernel positions reversed: `y[i,o,u,v] = x[o,i,kh − 1 − u,kw − 1 − v]`.
///
/// - Shapes: `[o,i]` or `[o,i,kh,kw]`, both in panels → `[i,o]` or `[i,o,kh,kw]`, given as the
///   result type.
/// - Types: f32 or bf16 → the same; bf16 needs even o and i.
/// - Errors: `repack.layout`, `repack.shape`, `repack.dtype`.
/// - Gradient: none: panels are made after differentiation.
package struct Repack: KernelOp {
  package static let mnemonic = "repack"
  package static let signature = Signature([nil])
  package static let traits: Traits = []
  package static let kernelKind = KernelKind.single
  package var type: TensorType

  package init(_ type: TensorType) { self.type = type }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    type = try reader.resultType()
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: 0)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    for type in [x, type] {
      guard case .panel(let width) = type.layout, width > 0 else {
        throw error("layout", "expected a panel layout, found \(type)")
      }
    }
    var shape = x.shape
    guard shape.count == 2 || shape.count == 4 else { throw error("shape", "cannot repack \(x)") }
    shape.swapAt(0, 1)
    guard type.shape == shape else { throw error("shape", "cannot repack \(x) as \(type)") }
    guard type.dtype == x.dtype,
      x.dtype == .f32 || (x.dtype == .bf16 && shape[0] % 2 == 0 && shape[1] % 2 == 0)
    else { throw error("dtype", "expected f32, or bf16 of even extents; found \(x) and \(type)") }
    return [type]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let x = operands[0]
    let shape = type.shape
    return [
      HostTensor(types[0]) { at in
        x[[at[1], at[0]] + at.indices.dropFirst(2).map { shape[$0] - 1 - at[$0] }]
      }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "panels are made after differentiation")
  }
}
