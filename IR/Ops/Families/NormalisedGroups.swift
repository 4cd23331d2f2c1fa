/// The statistics of channel groups as gradients need them, all in shapes that broadcast against
/// an image `[n, …, c]`.
struct NormalisedGroups {
  /// `r = 1/√(var_g + eps)` and `−mean_g · r`, `[n, 1, …, c]`.
  let inverse, offset: ValueID
  private let type: TensorType
  private let groups: Int

  init(
    _ x: ValueID, groups: Int, eps: Double, in graph: inout Graph
  ) throws(Diagnostic) {
    type = graph.type(x)
    self.groups = groups
    let channels = type.lastExtent
    let affine = try graph.groupAffine(
      x, scale: try graph.constant(1, .f32(channels)), shift: try graph.constant(0, .f32(channels)),
      groups: groups, eps: eps)
    var shape = [Int](repeating: 1, count: type.rank)
    (shape[0], shape[type.rank - 1]) = (type.shape[0], channels)
    inverse = try graph.reshape(try graph.slice(affine, axis: 0, from: 0, to: 1), to: shape)
    offset = try graph.reshape(try graph.slice(affine, axis: 0, from: 1, to: 2), to: shape)
  }

  /// `x̂ = (x − mean_g) · r`.
  func normalised(_ x: ValueID, in graph: inout Graph) throws(Diagnostic) -> ValueID {
    try graph.add(try graph.mul(x, inverse), offset)
  }

  /// A vector of channels, `[1, …, c]`.
  func channels(_ x: ValueID, in graph: inout Graph) throws(Diagnostic) -> ValueID {
    try graph.reshape(
      x, to: [Int](repeating: 1, count: type.rank - 1) + [type.lastExtent])
  }

  /// The sum over the pixels, `[n, 1, …, c]`.
  func sum(_ x: ValueID, in graph: inout Graph) throws(Diagnostic) -> ValueID {
    let shape = graph.type(inverse).shape
    let pixels = type.count / (type.shape[0] * type.lastExtent)
    if pixels == 1 { return try graph.reshape(x, to: shape) }
    let rows = try graph.reshape(x, to: [type.shape[0], pixels, type.lastExtent])
    return try graph.reshape(try graph.reduceSum(rows, axes: [1]), to: shape)
  }

  /// `mean_g(weight · x)` of sums over pixels, repeated for the channels of each group.
  func groupMean(
    _ sums: ValueID, weight: ValueID, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let (n, c) = (type.shape[0], type.lastExtent)
    let width = c / groups
    let weighted = try graph.mul(sums, try channels(weight, in: &graph))
    let split = try graph.reshape(weighted, to: [n, groups, width])
    let total = try graph.reduceSum(split, axes: [2])
    let mean = try graph.scaled(total, by: Double(n * groups) / Double(type.count))
    let repeated = try graph.broadcast(mean, to: [n, groups, width])
    return try graph.reshape(repeated, to: graph.type(inverse).shape)
  }
}
