/// The gated coefficients of low-rank branches: `m = gate ⊙ down(input)` for a linear layer or a convolution
/// `down`, each gate for a run of coefficients.
///
/// A gate belongs to an adapter that acts in a part of the picture. Where all gates of a register tile are
/// 0, which is most of the picture for most adapters, the kernel writes zeros without reading the input.
///
/// - Shapes: input `[n,…,i]`, down `[k,i]` → `[n,…,k]`; input `[n,h,w,i]`, down `[k,i,kh,kw]` → `[n,p,q,k]`;
///   gate `[t,s]` with t the product of the result's axes between the first and the last and s a divisor of
///   k: coefficient j has gate `⌊j·s/k⌋`.
/// - Types: input and down of equal type, f32 or bf16, gate f32 → f32; products summed in f32.
/// - Errors: `lora-down.gate`, `.shape`, `.dtype`, and those of the layer.
/// - Gradient: that of its definition.
package struct LoraDown: CompositeOp, TiledOp {
  package static let mnemonic = "lora_down"
  package static let signature = Signature([nil, "weight", "gate"])
  package var stride: Int
  package var pad: Int
  package var tile: Tile?

  package init(stride: Int = 1, pad: Int = 0, tile: Tile? = nil) {
    self.stride = stride
    self.pad = pad
    self.tile = tile
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    stride = try reader.optionalInt("stride") ?? 1
    pad = try reader.optionalInt("pad") ?? 0
    tile = try Tile.read(&reader)
  }

  package var attributes: [LabeledAttribute] {
    (stride == 1 ? [] : [LabeledAttribute("stride", .int(stride))])
      + (pad == 0 ? [] : [LabeledAttribute("pad", .int(pad))]) + Tile.attributes(tile)
  }

  package func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool { false }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    let products = operands[1].shape.dropFirst().reduce(1, *)
    return OpCost(flops: OpCost.product(2, results[0].count, products), time: products)
  }

  /// The layer whose result is gated.
  private func layer(_ weight: TensorType) -> any TensorOp {
    weight.rank == 2 ? Linear(tile: tile) : Conv2d(stride: stride, pad: pad, tile: tile)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (input, weight, gate) = (operands[0], operands[1], operands[2])
    if weight.rank == 2, stride != 1 || pad != 0 {
      throw error("shape", "stride \(stride) and pad \(pad) are for convolutions, found \(weight)")
    }
    let result = try layer(weight).inferTypes([input, weight])[0]
    guard result.rank >= 2, gate.dtype == .f32 else {
      throw error("dtype", "expected tokens or images and an f32 gate, found \(input) and \(gate)")
    }
    try Self.expectGate(gate, beside: result.shape) { error($0, $1) }
    return [result]
  }

  /// Checks that a gate has the positions of coefficients, and a number for each of equal runs of them.
  static func expectGate(
    _ gate: TensorType, beside coefficients: [Int], _ error: (String, String) -> OpError
  ) throws(OpError) {
    let (positions, width) = (self.positions(coefficients), coefficients.last ?? 1)
    guard gate.rank == 2, gate.shape[0] == positions, gate.shape[1] > 0, width % gate.shape[1] == 0 else {
      throw error(
        "gate", "expected a gate [\(positions),s] with s a divisor of \(width), found \(gate)")
    }
  }

  /// The positions of coefficients: their axes between the first and the last.
  static func positions(_ coefficients: [Int]) -> Int {
    coefficients.dropFirst().dropLast().reduce(1, *)
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let all = try layer(operands[1].type).evaluate(Array(operands[..<2]), types, environment)[0]
    return [HostTensor(types[0], Self.gated(all.elements, types[0].shape, by: operands[2]))]
  }

  /// Coefficients of a shape, each times its gate.
  static func gated(_ elements: [Double], _ shape: [Int], by gate: HostTensor) -> [Double] {
    let (positions, width, slots) = (self.positions(shape), shape.last ?? 1, gate.type.shape[1])
    return elements.indices.map { index in
      let (row, column) = index.quotientAndRemainder(dividingBy: width)
      return elements[index] * gate.elements[row % positions * slots + column * slots / width]
    }
  }

  package func decompose(
    _ operands: [ValueID], in graph: inout Graph
  ) throws(Diagnostic) -> [ValueID] {
    let all =
      graph.type(operands[1]).rank == 2
      ? try graph.emit(.linear(Linear(tile: tile)), Array(operands[..<2]))
      : try graph.emit(.conv2d(Conv2d(stride: stride, pad: pad, tile: tile)), Array(operands[..<2]))
    return [try graph.gated(all, by: operands[2])]
  }
}

extension Graph {
  /// Appends `lora_down`.
  package mutating func loraDown(
    _ input: ValueID, weight: ValueID, gate: ValueID, stride: Int = 1, pad: Int = 0, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.loraDown(LoraDown(stride: stride, pad: pad)), [input, weight, gate], name: name)
  }

  /// Appends the products of coefficients `[n,…,k]`, or `[n,1,…,k]`, with a gate `[t,s]` of `positions`.
  mutating func gated(
    _ coefficients: ValueID, by gate: ValueID, positions: [Int]? = nil
  ) throws(Diagnostic) -> ValueID {
    let shape = type(coefficients).shape
    let (count, slots) = (type(gate).shape[0], type(gate).shape[1])
    let width = shape.last ?? 1
    var numbers = gate
    if slots != width {
      let runs = try reshape(gate, to: [count, slots, 1])
      numbers = try broadcast(runs, to: [count, slots, width / slots])
    }
    let places = positions ?? Array(shape.dropFirst().dropLast())
    return try mul(coefficients, try reshape(numbers, to: [1] + places + [width]))
  }
}
