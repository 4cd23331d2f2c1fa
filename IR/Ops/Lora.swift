/// A low-rank adapter branch beside a layer: `y = base + scale · up(gate ⊙ down(input))`, where base is
/// the output of a linear or convolution layer of the same input.
///
/// The gate says for each position of the result how much each run of coefficients counts; without one all count
/// in full. Adapters that act in parts of a picture are one branch: their factors one below the other, the
/// gate the share of each one's region. In a convolution the gate is on what is written, not on what is read.
///
/// - Shapes: linear: input `[…, i]`, down `[k, i]`, up `[o, k]`, base `[…, o]`; convolution: input
///   `[n,h,w,i]`, down `[k,i,kh,kw]` with the layer's stride and pad, up `[o,k,1,1]`, base
///   `[n,p,q,o]`; scale `[1]` is the final multiplier (strength · alpha / rank); gate `[t, s]` with t the
///   product of base's axes between the first and the last and s a divisor of k: coefficient j has gate
///   `⌊j·s/k⌋`. With a gate, input may have extents of 1 where base has positions: then all of them read the
///   same.
/// - Types: f32.
/// - Source: Hu et al. 2021, eq. 3.
/// - Gradient: `dbase = dy`; with `mid = down(input)` and `m = gate ⊙ mid`: `dm = s · upᵀ(dy)`,
///   `dmid = gate ⊙ dm`, `dgate = Σ mid ⊙ dm` over samples and runs, and from dmid the input and down as for their layer;
///   `dup = s · dyᵀ · m`, `ds = Σ dy · up(m)`.
package struct Lora: CompositeOp, KernelOp {
  package static let mnemonic = "lora"
  package static let signature = Signature([nil, "input", "down", "up", "scale"], optional: "gate")
  package static let traits: Traits = .composite
  package static let kernelKind = KernelKind.single
  package var stride: Int
  package var pad: Int

  package init(stride: Int = 1, pad: Int = 0) {
    self.stride = stride
    self.pad = pad
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    stride = try reader.optionalInt("stride") ?? 1
    pad = try reader.optionalInt("pad") ?? 0
  }

  package var attributes: [LabeledAttribute] {
    (stride == 1 ? [] : [LabeledAttribute("stride", .int(stride))])
      + (pad == 0 ? [] : [LabeledAttribute("pad", .int(pad))])
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: results[0].count)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (base, input, down, up) = (operands[0], operands[1], operands[2], operands[3])
    for type in operands where type.dtype != .f32 {
      throw error("dtype", "expected f32 operands, found \(type)")
    }
    try expectShape(operands[4], [1], "a scale")
    let isLinear = down.rank == 2
    var middle = try first(isLinear).inferTypes([input, down])[0]
    if operands.count > 5 {
      let rank = down.shape[0]
      guard base.rank >= 2, middle.rank == base.rank else {
        throw error("gate", "a gate is for images and tokens of one rank, found \(base) and \(input)")
      }
      let wanted = Array(base.shape.dropLast()) + [rank]
      try LoraDown.expectGate(operands[5], beside: wanted) { error($0, $1) }
      guard zip(middle.shape, wanted).allSatisfy({ $0 == $1 || $0 == 1 }), middle.shape[0] == base.shape[0]
      else { throw error("shape", "the coefficients \(middle) do not fit \(base)") }
      middle = middle.with(shape: wanted)
    }
    let branch = try second(isLinear).inferTypes([middle, up])[0]
    try expectShape(branch, base.shape, "an adapter branch")
    return [base]
  }

  /// The layer of the factor that reads the input.
  private func first(_ isLinear: Bool) -> any TensorOp {
    isLinear ? Linear() : Conv2d(stride: stride, pad: pad)
  }

  /// The layer of the factor that writes.
  private func second(_ isLinear: Bool) -> any TensorOp { isLinear ? Linear() : Conv2d() }

  /// Appends the layer of the factor that reads the input.
  private func lowered(
    _ input: ValueID, _ down: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    graph.type(down).rank == 2
      ? try graph.linear(input, weight: down)
      : try graph.conv2d(input, weight: down, stride: stride, pad: pad)
  }

  /// Appends the layer of the factor that writes; of coefficients in runs that a gate may close.
  private func raised(
    _ middle: ValueID, _ up: ValueID, skip: Int? = nil, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    graph.type(up).rank == 2
      ? try graph.emit(.linear(Linear(skip: skip)), [middle, up])
      : try graph.emit(.conv2d(Conv2d(skip: skip)), [middle, up])
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (input, down, up) = (operands[1], operands[2], operands[3])
    func layer(_ x: HostTensor, _ w: HostTensor, _ op: any TensorOp) throws(OpError) -> HostTensor {
      let types = try op.inferTypes([x.type, w.type])
      return try op.evaluate([x, w], types, environment)[0]
    }
    let isLinear = down.type.rank == 2
    var middle = try layer(input, down, first(isLinear))
    if operands.count > 5 {
      let all = middle
      let shape = Array(types[0].shape.dropLast()) + [down.type.shape[0]]
      let everywhere = HostTensor(all.type.with(shape: shape)) { all.broadcast($0) }
      middle = HostTensor(
        everywhere.type, LoraDown.gated(everywhere.elements, shape, by: operands[5]))
    }
    let branch = try layer(middle, up, second(isLinear))
    let scale = operands[4].elements[0]
    return [
      HostTensor(types[0], zip(operands[0].elements, branch.elements).map { $0 + scale * $1 })
    ]
  }

  /// Without a gate the branch is multiplied by its scale; with one the narrow side is, which often is
  /// known at load.
  package func decompose(
    _ operands: [ValueID], in graph: inout Graph
  ) throws(Diagnostic) -> [ValueID] {
    let (base, input, down, up) = (operands[0], operands[1], operands[2], operands[3])
    if operands.count > 5 {
      let gated = try self.gated(input, down, operands[5], beside: base, in: &graph)
      let ones = [Int](repeating: 1, count: graph.type(up).rank)
      var scaled = up
      if case .constant(let scale)? = graph.producerOp(operands[4]), scale.values == [1] {
        // Factors may hold their scales, one for each adapter.
      } else {
        scaled = try graph.mul(up, try graph.reshape(operands[4], to: ones))
      }
      let run = graph.type(down).shape[0] / graph.type(operands[5]).shape[1]
      return [try graph.add(base, try raised(gated, scaled, skip: run, in: &graph))]
    }
    let middle = try lowered(input, down, in: &graph)
    let branch = try raised(middle, up, in: &graph)
    let ones = [Int](repeating: 1, count: graph.type(base).rank)
    let scale = try graph.reshape(operands[4], to: ones)
    return [try graph.add(base, try graph.mul(branch, scale))]
  }

  /// Appends the gated coefficients.
  private func gated(
    _ input: ValueID, _ down: ValueID, _ gate: ValueID, beside base: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let positions = Array(graph.type(base).shape.dropFirst().dropLast())
    var read = Array(graph.type(input).shape.dropFirst().dropLast())
    let kernel = graph.type(down).shape.dropFirst(2)
    read = zip(read, kernel).map { ($0 + 2 * pad - $1) / stride + 1 } + read.dropFirst(kernel.count)
    if read != positions {
      // What all positions read alike is computed once.
      let middle = try lowered(input, down, in: &graph)
      return try graph.gated(middle, by: gate, positions: positions)
    }
    return try graph.loraDown(input, weight: down, gate: gate, stride: stride, pad: pad)
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    // The rank is small, so the scale goes to the narrow side: up′ = s · up.
    let (base, input, down, up) = (
      site.operands[0], site.operands[1], site.operands[2], site.operands[3]
    )
    var result = [ValueID?](repeating: nil, count: site.operands.count)
    result[0] = site.needs[0] ? site.gradient : nil
    guard site.needs.dropFirst().contains(true) else { return .values(result) }
    let ones = [Int](repeating: 1, count: graph.type(up).rank)
    let scale = try graph.reshape(site.operands[4], to: ones)
    let scaledUp = try graph.mul(up, scale)
    let isLinear = graph.type(down).rank == 2
    let (first, second) = (first(isLinear), second(isLinear))
    let middle = try lowered(input, down, in: &graph)
    let shape = graph.type(middle).shape
    let isGated = site.operands.count > 5
    let positions = Array(graph.type(base).shape.dropFirst().dropLast())
    let written =
      isGated ? try graph.gated(middle, by: site.operands[5], positions: positions) : middle
    let needsGate = isGated && site.needs[5]
    let needsMiddle = site.needs[1] || site.needs[2]
    let upper = GradientSite(
      operands: [written, scaledUp], result: base, gradient: site.gradient,
      needs: [needsMiddle || needsGate, site.needs[3] || site.needs[4]])
    guard case .values(let outer) = try second.gradient(upper, in: &graph) else {
      return .values(result)
    }
    if let dwritten = outer[0], needsGate {
      let gate = graph.type(site.operands[5]).shape
      let products = try graph.mul(dwritten, middle)
      let runs = [graph.type(products).shape[0]] + gate + [graph.type(products).lastExtent / gate[1]]
      let sum = try graph.reduceSum(try graph.reshape(products, to: runs), axes: [0, 3])
      result[5] = try graph.reshape(sum, to: gate)
    }
    if let dwritten = outer[0], needsMiddle {
      let dmiddle =
        isGated
        ? try graph.sum(
          try graph.gated(dwritten, by: site.operands[5], positions: positions), to: shape) : dwritten
      let lower = GradientSite(
        operands: [input, down], result: middle, gradient: dmiddle,
        needs: [site.needs[1], site.needs[2]])
      if case .values(let inner) = try first.gradient(lower, in: &graph) {
        (result[1], result[2]) = (inner[0], inner[1])
      }
    }
    if let dup = outer[1] {
      if site.needs[3] { result[3] = try graph.mul(dup, scale) }
      if site.needs[4] {
        let products = try graph.mul(dup, up)
        let sum = try graph.reduceSum(products, axes: Array(graph.type(up).shape.indices))
        result[4] = try graph.reshape(sum, to: [1])
      }
    }
    return .values(result)
  }
}

extension Graph {
  /// Appends `lora`.
  package mutating func lora(
    _ base: ValueID, input: ValueID, down: ValueID, up: ValueID, scale: ValueID, gate: ValueID? = nil,
    stride: Int = 1, pad: Int = 0, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(
      .lora(Lora(stride: stride, pad: pad)),
      [base, input, down, up, scale] + (gate.map { [$0] } ?? []), name: name)
  }
}
