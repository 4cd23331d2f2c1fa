/// LoKr: the Kronecker product of a small matrix and a larger one, either of which may be a product itself.
///
/// `change[m·O + o, n·I + i, …] = w1[m,n] · w2[o,i,…]` for w2 of O×I. Source: Yeh et al. 2024 (LyCORIS),
/// section 3.2; names, and where alpha counts (only where there is a rank): LyCORIS, `lokr.py`.
struct KroneckerProduct: AdapterFamily {
  static let family = "LoKr"

  static let endings: [(ending: String, part: String)] = [
    "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2",
  ].map { (".\($0)", $0) }

  /// A matrix as such, or as the product of two; the axes after the second are the kernel's.
  private struct Factor {
    let shape: [Int]
    let rank: Int?
    /// Made when its size is known to be that of a layer.
    let values: @Sendable () -> [Float]

    init(_ name: String, core coreName: String?, _ tensors: LayerTensors) throws(AdapterFault) {
      if tensors.has(name) {
        let whole = try tensors.array(name)
        (shape, rank, values) = (whole.shape, nil, { whole.floats })
        return
      }
      let (a, b) = (try tensors.array("\(name)_a"), try tensors.array("\(name)_b"))
      rank = b.shape[0]
      if let coreName, tensors.has(coreName) {
        let core = try tensors.array(coreName, axes: 4)
        guard core.shape.count == 4, a.shape.count == 2, b.shape.count == 2,
          core.shape[0] == a.shape[0], core.shape[1] == b.shape[0],
          max(a.shape[0], b.shape[0]) <= FloatMatrix.mostRanks
        else {
          throw tensors.error(
            coreName, "has shape \(core.shape) beside \(a.shape) and \(b.shape) of \(name)_a and _b")
        }
        shape = [a.shape[1], b.shape[1]] + core.shape[2...]
        values = { FloatMatrix.tucker(core, a, b) }
        return
      }
      guard a.shape.count == 2, a.shape[1] == b.shape[0] else {
        throw tensors.error("\(name)_b", "has shape \(b.shape) beside \(a.shape) of \(name)_a")
      }
      shape = [a.shape[0]] + b.shape.dropFirst()
      values = { FloatMatrix.product(a.floats, b.floats, rows: a.shape[0], inner: a.shape[1]) }
    }
  }

  private let first: Factor
  private let second: Factor

  init(_ tensors: LayerTensors) throws(AdapterFault) {
    first = try Factor("lokr_w1", core: nil, tensors)
    second = try Factor("lokr_w2", core: "lokr_t2", tensors)
    guard first.shape.count == 2 else {
      throw tensors.error("lokr_w1", "has shape \(first.shape), expected two extents")
    }
  }

  var rank: Int? { first.rank ?? second.rank }

  func check(_ tensor: ChangedTensor) throws {
    let (m, n) = (first.shape[0], first.shape[1])
    let depth = second.shape.dropFirst().reduce(1, *)
    let shape = [m * second.shape[0], n * second.shape[1]] + second.shape.dropFirst(2)
    guard shape[0] == tensor.rows, n * depth == tensor.depth else { throw tensor.misfit(shape) }
  }

  func change(of tensor: ChangedTensor) throws -> [Float] {
    try check(tensor)
    let (m, n) = (first.shape[0], first.shape[1])
    let rows = second.shape[0]
    let depth = second.shape.dropFirst().reduce(1, *)
    let (small, large) = (first.values(), second.values())
    var result: [Float] = []
    result.reserveCapacity(tensor.count)
    for row in 0..<m * rows {
      for column in 0..<n {
        let factor = small[row / rows * n + column]
        let start = row % rows * depth
        for value in large[start..<start + depth] { result.append(factor * value) }
      }
    }
    return result
  }
}
