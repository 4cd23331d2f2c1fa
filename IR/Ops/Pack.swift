/// Contraction weights converted to the result's element type and rearranged in panels.
///
/// Panels of `panel` output channels hold, for each depth index in the order (ky, kx, ci), the
/// channels side by side; bf16 keeps two depth indices of a channel together. The last panel is
/// narrower: what is left, rounded up to whole vectors with zeros. The logical value is the
/// operand's, so evaluation only rounds.
///
/// q8 rounds the inputs of each output channel and tap as a `QuantisedRow` and keeps four depth
/// indices together. Each panel begins, for each tap, with the channels' scales s and their
/// corrections `128·s·Σq`, f32: what the zero point of the activations adds to a sum.
///
/// - Shapes: `[o,i]` or `[o,i,kh,kw]` → the same, `@panel`.
/// - Types: f32, f16 or bf16 → f32, bf16 (even i) or q8 (i a multiple of 4).
/// - Gradient: none: panels are made after differentiation.
package struct Pack: KernelOp {
  package static let mnemonic = "pack"
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

  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { true }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    try expectFloat(x)
    guard case .panel(let width) = type.layout, width > 0 else {
      throw error("layout", "expected a panel layout, found \(type)")
    }
    guard x.layout == .dense, x.shape == type.shape, x.rank == 2 || x.rank == 4 else {
      throw error("shape", "cannot pack \(x) as \(type)")
    }
    guard let group = type.dtype.panelGroup, x.shape[1] % group == 0 else {
      throw error(
        "dtype", "panels hold f32, bf16 of even depth or q8 of a multiple of 4; found \(type)")
    }
    return [type]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    guard type.dtype == .q8 else { return [HostTensor(types[0], operands[0].elements)] }
    var elements = operands[0].elements
    let taps = type.shape.dropFirst(2).reduce(1, *)
    for first in stride(from: 0, to: elements.count, by: type.shape[1] * taps) {
      for tap in 0..<taps {
        let places = (0..<type.shape[1]).map { first + $0 * taps + tap }
        let row = QuantisedRow(places.map { elements[$0] })
        for (place, number) in zip(places, row.numbers) { elements[place] = number }
      }
    }
    return [HostTensor(types[0], elements)]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "panels are made after differentiation")
  }
}

extension DType {
  /// How many depth indices of a channel lie together in panels; nil for types that panels cannot
  /// hold.
  package var panelGroup: Int? {
    switch self {
    case .f32: 1
    case .bf16: 2
    case .q8: 4
    case .f16, .i32, .u8, .i8: nil
    }
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
