import MoscIR

extension KernelChooser {
  /// The element type of a layer's input and weight.
  func contractionType(
    _ node: Node, _ name: String, in graph: Graph, _ context: inout PassContext
  ) -> DType {
    let (input, weight) = (graph.type(node.operands[0]), graph.type(node.operands[1]))
    guard input.dtype == .f32, precision != .f32 else { return input.dtype }
    let (outputs, channels) = (weight.shape[0], weight.shape[1])
    let rows = graph.type(node.results[0]).rows
    if precision == .q8 {
      guard let reason = reasonAgainstQ8(node, in: graph) else {
        context.count("q8")
        return .q8
      }
      context.remark(
        "precision", "layer '%\(name)' stays \(unquantised): \(reason)")
      context.count("kept-\(unquantised)")
      if unquantised == .f32 { return .f32 }
    }
    // bf16 factors come in pairs. Below 16 channels or outputs (a vector) products are too few to pay for
    // the casts; such layers are the first and last, where rounding is seen, and those of few rows are
    // the embedding of the time, which steers all others.
    let reason: String? =
      if isExact(node) { "tiles of 4×4 outputs" }
      else if channels < 16 || channels % 2 != 0 { "\(channels) input channels" }
      else if outputs < 16 { "\(outputs) outputs" }
      else if rows < Self.rowsForPacking { "\(rows) rows" }
      else { nil }
    if let reason {
      context.remark("precision", "layer '%\(name)' stays f32: \(reason)")
      context.count("kept-f32")
      return .f32
    }
    context.count("bf16")
    return .bf16
  }

  /// The element type of what is not rounded to 8 bits.
  var unquantised: DType {
    precision == .q8 ? (target.hasBF16Dot ? .bf16 : .f32) : precision
  }

  /// Whether a layer is transformed in a way that only f32 is exact enough for.
  private func isExact(_ node: Node) -> Bool {
    if case .winogradConv2d(let conv) = node.op { return conv.transform.outputs > 2 }
    return false
  }

  /// Why the factors of a layer cannot be rounded to 8 bits, or nil.
  private func reasonAgainstQ8(_ node: Node, in graph: Graph) -> String? {
    let (weight, rows) = (graph[node.operands[1]], graph.type(node.results[0]).rows)
    let (outputs, channels) = (weight.type.shape[0], weight.type.shape[1])
    if weight.rate != .load { return "its weight is known per \(weight.rate.name)" }
    // Bytes multiply in fours. By estimate, a row of fewer than 64 channels, or a layer of few rows or
    // outputs, costs as much to round as its products save.
    if channels < 64 || channels % 4 != 0 { return "\(channels) input channels" }
    if outputs < 16 { return "\(outputs) outputs" }
    if rows < Self.rowsForPacking { return "\(rows) rows" }
    if isExact(node) { return "tiles of 4×4 outputs" }
    switch node.op {
    case .loraDown: return "most of it is not computed"
    case .linear(let linear) where linear.skip != nil: return "most of it is not computed"
    case .conv2d(let conv):
      if conv.skip != nil { return "most of it is not computed" }
      let taps = weight.type.shape.dropFirst(2).reduce(1, *)
      return taps == 1 && conv.stride == 1 && conv.pad == 0 ? nil : "its pixels have several scales"
    case .winogradConv2d:
      return weight.type.shape[3] > 3 ? nil : "its filters are transformed on the way"
    default: return nil
    }
  }
}
