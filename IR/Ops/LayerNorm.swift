/// Layer normalisation of the last axis: `y = scale · (x − mean) / √(var + eps) + shift`, biased
/// variance.
///
/// - Shapes: x `[…, c]`, scale and shift `[c]` → `[…, c]`.
/// - Types: x f32, scale and shift f32 → f32.
/// - Source: Ba, Kiros & Hinton 2016, eq. 3–4.
/// - Gradient: `dx = r (g − mean g − x̂ · mean(g x̂))` with `g = scale · dy`, `r = 1/√(var + eps)`,
///   `x̂ = (x − mean) r`; `dscale = Σ dy x̂`, `dshift = Σ dy`.
package struct LayerNorm: CompositeOp, KernelOp {
  package static let mnemonic = "layer_norm"
  package static let signature = Signature([nil, "scale", "shift"])
  package static let traits: Traits = [.reduction, .composite]
  package static let repetition = Repetition.cheap
  package static let kernelKind = KernelKind.rows
  package var eps: Double

  package init(eps: Double) { self.eps = eps }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    eps = try reader.float("eps")
  }

  package var attributes: [LabeledAttribute] { [LabeledAttribute("eps", .float(eps))] }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    // Measured in rows of 1024: 2.5 copies.
    OpCost(flops: results[0].count, time: 3)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    try expectNormOperands(operands, channels: x.lastExtent)
    if x.rank == 0 { throw error("rank", "expected at least one axis") }
    return [x]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let width = types[0].lastExtent
    var result = operands[0].elements
    for row in 0..<types[0].rows {
      let range = row * width..<(row + 1) * width
      let mean = result[range].reduce(0, +) / Double(width)
      let variance = result[range].reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
      let inverse = 1 / (variance + eps).squareRoot()
      for c in 0..<width {
        let i = range.lowerBound + c
        result[i] =
          (result[i] - mean) * inverse * operands[1].elements[c] + operands[2].elements[c]
      }
    }
    return [HostTensor(types[0], result)]
  }

  package func decompose(
    _ operands: [ValueID], in graph: inout Graph
  ) throws(Diagnostic) -> [ValueID] {
    let x = operands[0]
    let type = graph.type(x)
    let ones = [Int](repeating: 1, count: type.rank)
    let scalar = TensorType(.f32, ones)
    let rowShape = Array(ones.dropLast()) + [type.lastExtent]
    let inverseCount = try graph.constant(1 / Double(type.lastExtent), scalar)
    let sum = try graph.reduceSum(x, axes: [type.rank - 1])
    let centred = try graph.sub(x, try graph.mul(sum, inverseCount))
    let squares = try graph.reduceSum(try graph.mul(centred, centred), axes: [type.rank - 1])
    let variance = try graph.mul(squares, inverseCount)
    let inverse = try graph.rsqrt(try graph.add(variance, try graph.constant(eps, scalar)))
    let scale = try graph.reshape(operands[1], to: rowShape)
    let shift = try graph.reshape(operands[2], to: rowShape)
    let scaled = try graph.mul(try graph.mul(centred, inverse), scale)
    return [try graph.add(scaled, shift)]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let (x, dy) = (site.operands[0], site.gradient)
    let type = graph.type(x)
    let last = type.rank - 1
    let inverseCount = 1 / Double(type.lastExtent)
    func mean(_ value: ValueID, _ graph: inout Graph) throws(Diagnostic) -> ValueID {
      try graph.scaled(try graph.reduceSum(value, axes: [last]), by: inverseCount)
    }
    if !site.needs[0] && !site.needs[1] {
      return .values([nil, nil, site.needs[2] ? try graph.columnSums(dy) : nil])
    }
    let centred = try graph.sub(x, try mean(x, &graph))
    let variance = try mean(try graph.mul(centred, centred), &graph)
    let inverse = try graph.rsqrt(
      try graph.add(variance, try graph.number(eps, like: variance)))
    let normal = try graph.mul(centred, inverse)
    return try site.each { (operand, _) throws(Diagnostic) -> ValueID? in
      switch operand {
      case 0:
        let ones = [Int](repeating: 1, count: last)
        let scale = try graph.reshape(site.operands[1], to: ones + [type.lastExtent])
        let g = try graph.mul(dy, scale)
        let slope = try mean(try graph.mul(g, normal), &graph)
        let rest = try graph.sub(g, try mean(g, &graph))
        return try graph.mul(inverse, try graph.sub(rest, try graph.mul(normal, slope)))
      case 1: return try graph.columnSums(try graph.mul(dy, normal))
      default: return try graph.columnSums(dy)
      }
    }
  }
}

extension TensorOp {
  /// Checks `x, scale, shift` of a normalisation: f32, one scale and shift per channel.
  func expectNormOperands(_ operands: [TensorType], channels: Int) throws(OpError) {
    for type in operands where type.dtype != .f32 {
      throw error("dtype", "expected f32 operands, found \(type)")
    }
    for type in operands.dropFirst() where type.shape != [channels] {
      throw error("channels", "expected f32[\(channels)] for \(operands[0]), found \(type)")
    }
  }
}

extension Graph {
  /// Appends `layer_norm`.
  package mutating func layerNorm(
    _ x: ValueID, scale: ValueID, shift: ValueID, eps: Double, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.layerNorm(LayerNorm(eps: eps)), [x, scale, shift], name: name)
  }
}
