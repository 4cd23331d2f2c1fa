/// Nearest-neighbour enlargement of an image: `y[n,i,j,c] = x[n, ⌊i·h/H⌋, ⌊j·w/W⌋, c]`.
///
/// - Shapes: x `[n,h,w,c]` → `[n,H,W,c]` with H ≥ h, W ≥ w.
/// - Source: `torch.nn.functional.interpolate(mode="nearest")`.
package struct UpsampleNearest: ResultTypedOp {
  package static let mnemonic = "upsample_nearest"
  package static let traits: Traits = .dataMovement
  package var type: TensorType

  package init(_ type: TensorType) { self.type = type }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    try expectRank(x, 4, "an image")
    guard type.rank == 4, x.dtype == type.dtype, x.shape[0] == type.shape[0],
      x.shape[3] == type.shape[3], x.shape[1] <= type.shape[1], x.shape[2] <= type.shape[2]
    else { throw error("shape", "cannot enlarge \(x) to \(type)") }
    return [type]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let x = operands[0]
    let (h, w) = (x.type.shape[1], x.type.shape[2])
    let (outH, outW) = (type.shape[1], type.shape[2])
    return [
      HostTensor(types[0]) { x[[$0[0], $0[1] * h / outH, $0[2] * w / outW, $0[3]]] }
    ]
  }
}

extension Graph {
  /// Appends `upsample_nearest` to the given height and width.
  package mutating func upsampleNearest(
    _ x: ValueID, height: Int, width: Int, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    var shape = type(x).shape
    if shape.count == 4 { (shape[1], shape[2]) = (height, width) }
    return try emit(
      .upsampleNearest(UpsampleNearest(type(x).with(shape: shape))), [x], name: name)
  }
}
