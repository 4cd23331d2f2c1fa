/// A weight with a low-rank change folded in: `y = W + scale · up · down`.
///
/// - Shapes: weight `[o,i]`, down `[k,i]`, up `[o,k]`; or weight `[o,i,kh,kw]`, down `[k,i,kh,kw]`,
///   up `[o,k,1,1]`; scale `[1]` → as weight.
/// - Types: f32, summed in f32.
/// - Source: Hu et al. 2021, section 4.1.
/// - Gradient: `dW = dy, dup = s · dy · downᵀ, ddown = s · upᵀ · dy, ds = Σ dy · up · down`.
package struct LoraMerge: KernelOp {
  package static let mnemonic = "lora_merge"
  package static let signature = Signature([nil, "down", "up", "scale"])
  package static let traits: Traits = .contraction
  package static let kernelKind = KernelKind.single

  package init() {}
  package init(reading reader: inout AttributeReader) throws(OpError) {}

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    let rank = operands[1].shape[0]
    return OpCost(flops: OpCost.product(2, results[0].count, rank), time: rank)
  }

  package func alignedOperands(from axis: Int, of count: Int) -> Range<Int>? {
    axis >= 1 ? 0..<1 : nil
  }

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

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let (dy, shape) = (site.gradient, graph.type(site.operands[0]).shape)
    let width = graph.type(dy).count / shape[0]
    let rank = graph.type(site.operands[1]).shape[0]
    let rows = try graph.reshape(dy, to: [shape[0], width])
    let down = try graph.reshape(site.operands[1], to: [rank, width])
    let up = try graph.reshape(site.operands[2], to: [shape[0], rank])
    let scale = try graph.reshape(site.operands[3], to: [1, 1])
    return try site.each { (operand, x) throws(Diagnostic) -> ValueID? in
      let product: ValueID
      switch operand {
      case 0: return dy
      case 1:
        product = try graph.linear(
          try graph.transposed(up), weight: try graph.transposed(rows))
      case 2: product = try graph.linear(rows, weight: down)
      default:
        let change = try graph.linear(up, weight: try graph.transposed(down))
        let sum = try graph.reduceSum(try graph.mul(rows, change), axes: [0, 1])
        return try graph.reshape(sum, to: [1])
      }
      return try graph.reshape(try graph.mul(product, scale), to: graph.type(x).shape)
    }
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
