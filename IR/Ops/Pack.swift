/// Contraction weights converted to the result's element type and rearranged in panels.
///
/// Panels of `panel` output channels hold, for each depth index in the order (ky, kx, ci), the
/// channels side by side; bf16 keeps two depth indices of a channel together. The last panel is
/// narrower: what is left, rounded up to whole vectors with zeros. The logical value is the
/// operand's, so evaluation only rounds.
///
/// - Shapes: `[o,i]` or `[o,i,kh,kw]` → the same, `@panel`.
/// - Types: f32, f16 or bf16 → f32 or bf16 (even i).
/// - Gradient: none: panels are made after differentiation.
package struct Pack: TensorOp {
  package static let mnemonic = "pack"
  package static let signature = Signature([nil])
  package static let traits: Traits = .dataMovement
  package var type: TensorType

  package init(_ type: TensorType) { self.type = type }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    type = try reader.resultType()
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    try expectFloat(x)
    guard case .panel(let width) = type.layout, width > 0 else {
      throw error("layout", "expected a panel layout, found \(type)")
    }
    guard x.layout == .dense, x.shape == type.shape, x.rank == 2 || x.rank == 4 else {
      throw error("shape", "cannot pack \(x) as \(type)")
    }
    guard type.dtype == .f32 || (type.dtype == .bf16 && x.shape[1] % 2 == 0) else {
      throw error("dtype", "panels hold f32, or bf16 of even depth; found \(type)")
    }
    return [type]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    [HostTensor(types[0], operands[0].elements)]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "panels are made after differentiation")
  }
}

extension Graph {
  /// Appends `pack`.
  package mutating func pack(
    _ weight: ValueID, dtype: DType, panel: Int, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    let type = TensorType(dtype, type(weight).shape, layout: .panel(panel))
    return try emit(.pack(Pack(type)), [weight], name: name)
  }
}
