/// Affine map of the last axis: `y[…, o] = Σᵢ x[…, i] · W[o, i] + b[o]`.
///
/// With `skip`, inputs come in runs of so many that often are all zero; where one is for all rows of a
/// register tile, kernels pass over it. It changes no result.
///
/// - Shapes: x `[…, i]`, weight `[o, i]` (checkpoint layout) or packed in panels, bias `[o]`.
/// - Types: x and weight of equal type, float or q8, bias f32 → f32; products summed in f32, those of
///   q8 exactly.
/// - Errors: `linear.depth`, `linear.dtype`, `linear.bias`.
/// - Gradient: `dx = dy · W` as a linear map with weight `Wᵀ`, `dW = dyᵀ · x` as one with weight
///   `xᵀ`, `db` the sum of the rows of `dy`.
package struct Linear: TiledOp {
  package static let mnemonic = "linear"
  package static let signature = Signature([nil, "weight"], optional: "bias")
  package var skip: Int?
  package var tile: Tile?

  package init(skip: Int? = nil, tile: Tile? = nil) {
    self.skip = skip
    self.tile = tile
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    skip = try readSkip(&reader, Self.errorPrefix)
    tile = try Tile.read(&reader)
  }

  package var attributes: [LabeledAttribute] { skipAttributes(skip) + Tile.attributes(tile) }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: OpCost.product(2, results[0].count, operands[1].shape[1]), time: operands[0].lastExtent)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (x, w) = (operands[0], operands[1])
    try expectFactors(x, w)
    try expectRank(w, 2, "a weight")
    guard x.rank >= 1, x.lastExtent == w.shape[1] else {
      throw error("depth", "input \(x) has \(x.lastExtent) channels, weight \(w) takes \(w.shape[1])")
    }
    if x.dtype != w.dtype { throw error("dtype", "input is \(x), weight is \(w)") }
    try expectPanels(w)
    try expectBias(operands.dropFirst(2).first, w.shape[0])
    return [TensorType(.f32, x.shape.dropLast() + [w.shape[0]])]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (x, w) = (operands[0], operands[1])
    let depth = w.type.shape[1]
    let columns = w.type.shape[0]
    var result = [Double](repeating: 0, count: types[0].count)
    for position in result.indices {
      let (row, column) = position.quotientAndRemainder(dividingBy: columns)
      var sum = operands.count > 2 ? operands[2].elements[column] : 0
      for k in 0..<depth { sum += x.elements[row * depth + k] * w.elements[column * depth + k] }
      result[position] = sum
    }
    return [HostTensor(types[0], result)]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    try site.each { (operand, x) throws(Diagnostic) -> ValueID? in
      if operand == 2 { return try graph.columnSums(site.gradient) }
      let type = graph.type(x)
      // Contractions take equal types, and what was rounded is rounded here too.
      let dy = try graph.cast(site.gradient, to: type.dtype)
      let product =
        operand == 0
        ? try graph.linear(dy, weight: try graph.transposed(site.operands[1]))
        : try graph.transposedProduct(try graph.matrix(dy), try graph.matrix(site.operands[0]))
      return try graph.cast(product, to: type.dtype)
    }
  }
}

extension Graph {
  /// `aᵀ · b`: the gradient of a weight.
  ///
  /// A factor of few columns, as adapters have, is cheap to transpose; the other one stays as it is.
  fileprivate mutating func transposedProduct(
    _ a: ValueID, _ b: ValueID
  ) throws(Diagnostic) -> ValueID {
    let (rows, columns) = (type(a).lastExtent, type(b).lastExtent)
    guard min(rows, columns) <= 32 else {
      return try linear(try transposed(a), weight: try transposed(b))
    }
    func batch(_ x: ValueID, in graph: inout Graph) throws(Diagnostic) -> ValueID {
      try graph.reshape(x, to: [1] + graph.type(x).shape)
    }
    let (thin, wide) = rows <= columns ? (a, b) : (b, a)
    let product = try matmul(
      try batch(try transposed(thin), in: &self), try batch(wide, in: &self))
    let matrix = try reshape(product, to: Array(type(product).shape.dropFirst()))
    return rows <= columns ? matrix : try transposed(matrix)
  }
}

/// Reads `skip: n`, the length of runs of inputs that may be zero, if present.
func readSkip(_ reader: inout AttributeReader, _ prefix: String) throws(OpError) -> Int? {
  let length = try reader.optionalInt("skip")
  if let length, length < 1 { throw OpError("\(prefix).skip", "expected a length of runs, found \(length)") }
  return length
}

/// The attribute of runs that may be zero.
func skipAttributes(_ skip: Int?) -> [LabeledAttribute] {
  skip.map { [LabeledAttribute("skip", .int($0))] } ?? []
}

extension TensorOp {
  /// Checks an optional f32 bias of one number per output channel.
  func expectBias(_ bias: TensorType?, _ channels: Int) throws(OpError) {
    guard let bias else { return }
    guard bias.shape == [channels], bias.dtype == .f32 else {
      throw error("bias", "expected a bias f32[\(channels)], found \(bias)")
    }
  }
}

extension Graph {
  /// Appends `linear`.
  package mutating func linear(
    _ x: ValueID, weight: ValueID, bias: ValueID? = nil, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(.linear(Linear()), [x, weight] + (bias.map { [$0] } ?? []), name: name)
  }
}
