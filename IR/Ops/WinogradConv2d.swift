/// The products of a Winograd convolution, summed and transformed back:
/// `y = Aᵀ [Σ_i u[o, i] ⊙ v[·, t, i]] A + b[o]` for every tile t and output channel o.
///
/// With `v = winograd_input(x)` and `u = winograd_weight(w)` this is `conv2d(x, weight: w, stride: 1,
/// pad: 0)`, at 4/9 (m = 2) or 1/4 (m = 4) of the multiplications. Filters that are not transformed
/// yet, 3×3, are transformed on the way and rounded to their type: they take 9/16 or 1/4 of the
/// memory.
///
/// - Shapes: v `[(m+2)², n·p·q, i]`, weight `[o, i, m+2, m+2]` or `[o, i, 3, 3]`, maybe packed in
///   panels, bias `[o]` → `[n, m·p, m·q, o]`.
/// - Types: v and weight of equal type, float or q8 (transformed filters only), bias f32 → f32;
///   products summed in f32, those of q8 exactly.
/// - Attributes: `outputs`, the edge m of a tile; `image`, the extents n, m·p, m·q of the result.
/// - Errors: `winograd-conv2d.outputs`, `.image`, `.depth`, `.points`, `.dtype`, `.bias`.
/// - Gradient: none: the algorithm is chosen after differentiation.
/// - Source: see `WinogradTransform`.
package struct WinogradConv2d: CompositeOp, TiledOp {
  package static let mnemonic = "winograd_conv2d"
  package static let signature = Signature([nil, "weight"], optional: "bias")
  package let transform: WinogradTransform
  /// Images, rows and columns of the result.
  package let image: [Int]
  package var tile: Tile?

  package init(_ transform: WinogradTransform, image: [Int], tile: Tile? = nil) {
    self.transform = transform
    self.image = image
    self.tile = tile
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    transform = try WinogradTransform.read(&reader, prefix: Self.errorPrefix)
    image = try reader.ints("image")
    tile = try Tile.read(&reader)
  }

  package var attributes: [LabeledAttribute] {
    transform.attributes + [LabeledAttribute("image", .ints(image))] + Tile.attributes(tile)
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: OpCost.product(2 * 9, results[0].count, operands[1].shape[1]))
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let (v, u) = (operands[0], operands[1])
    try expectFactors(v, u)
    try expectRank(v, 3, "transformed squares")
    try expectRank(u, 4, "transformed filters")
    let m = transform.outputs
    guard image.count == 3, image.allSatisfy({ $0 > 0 }), TensorType.isBounded(image),
      image[1] % m == 0, image[2] % m == 0
    else {
      throw error("image", "expected images, rows and columns in tiles of \(m), found \(image)")
    }
    let tiles = image[0] * (image[1] / m) * (image[2] / m)
    let edge = transform.edge
    guard v.shape[0] == transform.points, v.shape[1] == tiles,
      u.shape[2...] == [edge, edge] || u.shape[2...] == [3, 3]
    else {
      throw error(
        "points",
        "expected \(transform.points) points of \(tiles) tiles and filters of \(edge)×\(edge) or "
          + "3×3, found \(v) and \(u)")
    }
    if v.shape[2] != u.shape[1] {
      throw error("depth", "\(v) has \(v.shape[2]) channels, weight \(u) takes \(u.shape[1])")
    }
    if v.dtype != u.dtype { throw error("dtype", "squares are \(v), weight is \(u)") }
    if v.dtype == .q8, u.shape[2] != edge {
      throw error("dtype", "q8 filters are rounded when transformed, found \(u)")
    }
    try expectPanels(u)
    try expectBias(operands.dropFirst(2).first, u.shape[0])
    return [TensorType(.f32, image + [u.shape[0]])]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let (v, u) = (operands[0], try transformed(operands[1]))
    let (m, points) = (transform.outputs, transform.points)
    let (tiles, depth) = (v.type.shape[1], v.type.shape[2])
    let (wide, columns) = (image[2] / m, types[0].lastExtent)
    var result = [Double](repeating: 0, count: types[0].count)
    for tile in 0..<tiles {
      let (line, across) = (tile / wide * m, tile % wide * m)
      for o in 0..<columns {
        let sums = (0..<points).map { point in
          (0..<depth).reduce(0.0) {
            $0 + v.elements[(point * tiles + tile) * depth + $1]
              * u.elements[(o * depth + $1) * points + point]
          }
        }
        let bias = operands.count > 2 ? operands[2].elements[o] : 0
        for (k, y) in WinogradTransform.apply(transform.output, sums).enumerated() {
          let pixel = (line + k / m) * image[2] + across + k % m
          result[pixel * columns + o] = y + bias
        }
      }
    }
    return [HostTensor(types[0], result)]
  }

  /// The filters at all points.
  private func transformed(_ filters: HostTensor) throws(OpError) -> HostTensor {
    let type = filters.type
    guard type.shape[3] == 3 else { return filters }
    let points = (0..<filters.elements.count / 9).flatMap {
      WinogradTransform.apply(transform.weight, Array(filters.elements[$0 * 9..<$0 * 9 + 9]))
    }
    let edge = transform.edge
    return HostTensor(
      TensorType(type.dtype, [type.shape[0], type.shape[1], edge, edge]), points)
  }

  /// One product per point, then `Aᵀ` from both sides as linear maps.
  package func decompose(
    _ operands: [ValueID], in graph: inout Graph
  ) throws(Diagnostic) -> [ValueID] {
    let (m, edge, points) = (transform.outputs, transform.edge, transform.points)
    let (v, u) = (graph.type(operands[0]), graph.type(operands[1]))
    let (tiles, depth, columns) = (v.shape[1], v.shape[2], u.shape[0])
    var filters = operands[1]
    if u.shape[3] == 3 {
      let exact = try WinogradWeight(transform).decompose([filters], in: &graph)
      filters = try graph.cast(exact[0], to: u.dtype)
    }
    let weight = try graph.reshape(
      try graph.transpose(filters, axes: [2, 3, 1, 0]), to: [points, depth, columns])
    let sums = try graph.reshape(
      try graph.transpose(try graph.matmul(operands[0], weight), axes: [1, 2, 0]),
      to: [tiles, columns, edge, edge])
    let matrix = try graph.constant(transform.output.flatMap { $0 }, .f32(m, edge))
    let rows = try graph.linear(sums, weight: matrix)
    let squares = try graph.linear(
      try graph.transpose(rows, axes: [0, 1, 3, 2]), weight: matrix)
    // [n·p, q, o, column, row] → [n·p, row, q, column, o]
    let split = try graph.reshape(
      squares, to: [image[0] * image[1] / m, image[2] / m, columns, m, m])
    let pixels = try graph.reshape(
      try graph.transpose(split, axes: [0, 4, 1, 3, 2]), to: image + [columns])
    guard operands.count > 2 else { return [pixels] }
    return [try graph.add(pixels, try graph.reshape(operands[2], to: [1, 1, 1, columns]))]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "the algorithm of a convolution is chosen after differentiation")
  }
}

extension Graph {
  /// Appends a 3×3 convolution of an already padded image by Winograd's algorithm, over filters that
  /// are transformed once and kept, or by the convolution itself.
  package mutating func winogradConv2d(
    _ x: ValueID, weight: ValueID, bias: ValueID? = nil, _ transform: WinogradTransform,
    keepsFilters: Bool = true, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    let shape = type(x).shape
    let image = [shape[0], shape[1] - 2, shape[2] - 2]
    let squares = try emit(.winogradInput(WinogradInput(transform)), [x])
    let filters =
      keepsFilters ? try emit(.winogradWeight(WinogradWeight(transform)), [weight]) : weight
    return try emit(
      .winogradConv2d(WinogradConv2d(transform, image: image)),
      [squares, filters] + (bias.map { [$0] } ?? []), name: name)
  }
}
