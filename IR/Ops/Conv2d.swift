/// 2-d convolution: `y[n,p,q,o] = b[o] + Σ x[n, p·s + u − pad, q·s + v − pad, i] · W[o,i,u,v]`,
/// zero outside the image. `skip` is for 1×1 filters and means what it means in `linear`.
///
/// - Shapes: x `[n,h,w,i]`, weight `[o,i,kh,kw]` (checkpoint layout) or packed in panels, bias
///   `[o]` → `[n,p,q,o]`, `p = (h + 2·pad − kh)/s + 1`.
/// - Types: x and weight of equal type, float or q8 (1×1 filters only: pixels have scales of their
///   own), bias f32 → f32; products summed in f32, those of q8 exactly.
/// - Errors: `conv2d.depth`, `conv2d.dtype`, `conv2d.bias`, `conv2d.stride`, `conv2d.size`.
/// - Gradient: `dx` is a stride-1 convolution of `dy` with the flipped, transposed weight, one per
///   phase of a strided image; `dW[o,i,u,v] = Σ dy[n,p,q,o] · x[n, p·s + u − pad, q·s + v − pad,
///   i]`, one contraction over the pixels per tap; `db` the sum over the pixels.
package struct Conv2d: TiledOp {
  package static let mnemonic = "conv2d"
  package static let signature = Signature([nil, "weight"], optional: "bias")
  package var stride: Int
  package var pad: Int
  package var skip: Int?
  package var tile: Tile?

  package init(stride: Int = 1, pad: Int = 0, skip: Int? = nil, tile: Tile? = nil) {
    self.stride = stride
    self.pad = pad
    self.skip = skip
    self.tile = tile
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    stride = try reader.int("stride")
    pad = try reader.int("pad")
    skip = try readSkip(&reader, Self.errorPrefix)
    tile = try Tile.read(&reader)
  }

  package var attributes: [LabeledAttribute] {
    [LabeledAttribute("stride", .int(stride)), LabeledAttribute("pad", .int(pad))]
      + skipAttributes(skip) + Tile.attributes(tile)
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    let products = operands[1].shape.dropFirst().reduce(1, *)
    return OpCost(flops: OpCost.product(2, results[0].count, products), time: products)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (x, w) = (operands[0], operands[1])
    try expectFactors(x, w)
    try expectRank(x, 4, "an image")
    try expectRank(w, 4, "a weight")
    guard stride >= 1, pad >= 0 else { throw error("stride", "stride \(stride), pad \(pad)") }
    if x.shape[3] != w.shape[1] {
      throw error("depth", "image \(x) has \(x.shape[3]) channels, weight \(w) takes \(w.shape[1])")
    }
    if x.dtype != w.dtype { throw error("dtype", "image is \(x), weight is \(w)") }
    if x.dtype == .q8, w.shape[2...] != [1, 1] || stride != 1 || pad != 0 {
      throw error("dtype", "a sum over pixels of different scales: \(x) takes 1×1 filters, found \(w)")
    }
    let height = x.shape[1] + 2 * pad - w.shape[2]
    let width = x.shape[2] + 2 * pad - w.shape[3]
    guard height >= 0, width >= 0 else {
      throw error("size", "image \(x) is smaller than the kernel of \(w)")
    }
    try expectPanels(w)
    try expectBias(operands.dropFirst(2).first, w.shape[0])
    return [
      TensorType(.f32, [x.shape[0], height / stride + 1, width / stride + 1, w.shape[0]])
    ]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (x, w) = (operands[0], operands[1])
    let (h, width) = (x.type.shape[1], x.type.shape[2])
    return [
      HostTensor(types[0]) { at in
        var sum = operands.count > 2 ? operands[2].elements[at[3]] : 0
        for u in 0..<w.type.shape[2] {
          let i = at[1] * stride + u - pad
          guard 0 <= i, i < h else { continue }
          for v in 0..<w.type.shape[3] {
            let j = at[2] * stride + v - pad
            guard 0 <= j, j < width else { continue }
            for c in 0..<w.type.shape[1] { sum += x[[at[0], i, j, c]] * w[[at[3], c, u, v]] }
          }
        }
        return sum
      }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let (x, weight) = (site.operands[0], site.operands[1])
    let dtype = graph.type(x).dtype
    let dy = try graph.cast(site.gradient, to: dtype)
    return try site.each { (operand, _) throws(Diagnostic) -> ValueID? in
      switch operand {
      case 0:
        let image = try imageGradient(dy, weight, graph.type(x).shape, in: &graph)
        return try graph.cast(image, to: dtype)
      case 1:
        let kernel = try weightGradient(dy, x, graph.type(weight).shape, in: &graph)
        return try graph.cast(kernel, to: dtype)
      default: return try graph.columnSums(site.gradient)
      }
    }
  }
}

extension Graph {
  /// Appends `conv2d`.
  package mutating func conv2d(
    _ x: ValueID, weight: ValueID, bias: ValueID? = nil, stride: Int = 1, pad: Int = 0,
    name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(
      .conv2d(Conv2d(stride: stride, pad: pad)), [x, weight] + (bias.map { [$0] } ?? []),
      name: name)
  }
}
