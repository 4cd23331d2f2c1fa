/// Nearest-neighbour enlargement of an image: `y[n,i,j,c] = x[n, ⌊i·h/H⌋, ⌊j·w/W⌋, c]`.
///
/// - Shapes: x `[n,h,w,c]` → `[n,H,W,c]` with H ≥ h, W ≥ w.
/// - Source: `torch.nn.functional.interpolate(mode="nearest")`.
/// - Gradient: the sum of `dy` over the copies of each pixel.
package struct UpsampleNearest: ResultTypedOp, MovementOp {
  package static let mnemonic = "upsample_nearest"
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

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let (from, to) = (graph.type(site.operands[0]).shape, type.shape)
    let (n, h, w, c) = (from[0], from[1], from[2], from[3])
    if to[1] % h == 0, to[2] % w == 0 {
      let blocks = try graph.reshape(site.gradient, to: [n, h, to[1] / h, w, to[2] / w, c])
      return .values([try graph.reshape(try graph.reduceSum(blocks, axes: [2, 4]), to: from)])
    }
    // Uneven factors: each axis is contracted with the 0-1 matrix of who copied whom.
    let dy = try graph.cast(site.gradient, to: .f32)
    let lines = try graph.matmul(
      try Self.copies(h, to[1], batch: n, in: &graph),
      try graph.reshape(dy, to: [n, to[1], to[2] * c]))
    let pixels = try graph.matmul(
      try Self.copies(w, to[2], batch: n * h, in: &graph),
      try graph.reshape(lines, to: [n * h, to[2], c]))
    return .values([
      try graph.cast(try graph.reshape(pixels, to: from), to: graph.type(site.operands[0]).dtype)
    ])
  }

  /// `[batch, small, large]`: 1 where the large axis copies the small one.
  private static func copies(
    _ small: Int, _ large: Int, batch: Int, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let numbers = (0..<small * large).map { $0 % large * small / large == $0 / large ? 1.0 : 0 }
    let matrix = try graph.constant(numbers, .f32(1, small, large))
    return try graph.broadcast(matrix, to: [batch, small, large])
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
