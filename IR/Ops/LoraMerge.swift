/// A weight with a low-rank change folded in: `y = W + scale · up · down`.
///
/// - Shapes: weight `[o,i]`, down `[k,i]`, up `[o,k]`; or weight `[o,i,kh,kw]`, down `[k,i,kh,kw]`,
///   up `[o,k,1,1]`; scale `[1]` → as weight.
/// - Types: f32, summed in f32.
/// - Source: Hu et al. 2021, section 4.1.
package struct LoraMerge: TensorOp {
  package static let mnemonic = "lora_merge"
  package static let signature = Signature([nil, "down", "up", "scale"])
  package static let traits: Traits = .contraction

  package init() {}
  package init(reading reader: inout AttributeReader) throws(OpError) {}

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (weight, down, up) = (operands[0], operands[1], operands[2])
    for type in operands where type.dtype != .f32 {
      throw error("dtype", "expected f32 operands, found \(type)")
    }
    try expectShape(operands[3], [1], "a scale")
    guard weight.rank == down.rank, weight.rank == up.rank, weight.rank == 2 || weight.rank == 4,
      down.shape.dropFirst() == weight.shape.dropFirst(), up.shape[0] == weight.shape[0],
      up.shape[1] == down.shape[0], up.shape.dropFirst(2).allSatisfy({ $0 == 1 })
    else { throw error("shape", "weight \(weight), down \(down) and up \(up) do not fit") }
    return [weight]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (weight, down, up) = (operands[0], operands[1], operands[2])
    let rank = down.type.shape[0]
    let width = weight.type.count / weight.type.shape[0]
    let scale = operands[3].elements[0]
    return [
      HostTensor(
        types[0],
        weight.elements.indices.map { position in
          let (row, column) = position.quotientAndRemainder(dividingBy: width)
          var sum = 0.0
          for k in 0..<rank {
            sum += up.elements[row * rank + k] * down.elements[k * width + column]
          }
          return weight.elements[position] + scale * sum
        })
    ]
  }
}

extension Graph {
  /// Appends `lora_merge`.
  package mutating func loraMerge(
    _ weight: ValueID, down: ValueID, up: ValueID, scale: ValueID, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.loraMerge(LoraMerge()), [weight, down, up, scale], name: name)
  }
}
