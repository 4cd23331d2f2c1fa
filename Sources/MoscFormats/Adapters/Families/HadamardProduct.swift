/// LoHa: the elementwise product of two products of narrow factors, `(w1a · w1b) ∘ (w2a · w2b)`.
///
/// While it is narrow enough it is itself a product: row o of `up` is the outer product of the rows o of
/// w1a and w2a, and so for the columns of `down`. Source: Hyeon-Woo et al. 2022 (FedPara), proposition 1;
/// names and the form for kernels: LyCORIS, `loha.py`.
struct HadamardProduct: AdapterFamily {
  static let family = "LoHa"

  static let endings: [(ending: String, part: String)] =
    ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"].map { (".\($0)", $0) }

  /// One of the two factors.
  private struct Factor {
    let a: HostArray
    let b: HostArray
    /// `[k,k,height,width]`, where the kernel is apart; a is then `[k,out]`.
    let core: HostArray?
    var rank: Int { b.shape[0] }

    init(_ number: Int, _ tensors: LayerTensors) throws(AdapterFault) {
      a = try tensors.array("hada_w\(number)_a")
      b = try tensors.array("hada_w\(number)_b")
      core = tensors.has("hada_t\(number)") ? try tensors.array("hada_t\(number)", axes: 4) : nil
      let k = b.shape[0]
      let fits = a.shape.count == 2 && b.shape.count == 2
        && (core.map { $0.shape.count == 4 && a.shape[0] == $0.shape[0] && k == $0.shape[1] }
          ?? (a.shape[1] == k))
        && max(k, core?.shape[0] ?? 0) <= FloatMatrix.mostRanks
      guard fits else {
        throw tensors.error(
          "hada_w\(number)_b",
          "has shape \(b.shape) beside \(a.shape) of hada_w\(number)_a"
            + (core.map { " and \($0.shape) of hada_t\(number)" } ?? ""))
      }
    }

    /// The product, in the order of the weight.
    var values: [Float] {
      guard let core else {
        return FloatMatrix.product(a.floats, b.floats, rows: a.shape[0], inner: rank)
      }
      return FloatMatrix.tucker(core, a, b)
    }

    var shape: [Int] {
      core.map { [a.shape[1], b.shape[1]] + $0.shape[2...] } ?? [a.shape[0], b.shape[1]]
    }
  }

  private let first: Factor
  private let second: Factor
  /// Wider products cost more than the layer itself.
  private static let mostFactors = 64

  init(_ tensors: LayerTensors) throws(AdapterFault) {
    first = try Factor(1, tensors)
    second = try Factor(2, tensors)
    guard first.shape == second.shape else {
      throw tensors.error(
        "hada_w2_a", "makes a change of shape \(second.shape), hada_w1_a one of \(first.shape)")
    }
  }

  var rank: Int? { first.rank }

  func factors() -> (down: HostArray, up: HostArray)? {
    let (p, q) = (first.rank, second.rank)
    guard first.core == nil, second.core == nil, p * q <= Self.mostFactors else { return nil }
    let (rows, depth) = (first.shape[0], first.shape[1])
    let (a1, a2, b1, b2) = (first.a.floats, second.a.floats, first.b.floats, second.b.floats)
    var up = [Float](repeating: 0, count: rows * p * q)
    var down = [Float](repeating: 0, count: p * q * depth)
    for i in 0..<p {
      for j in 0..<q {
        for o in 0..<rows { up[o * p * q + i * q + j] = a1[o * p + i] * a2[o * q + j] }
        for c in 0..<depth { down[(i * q + j) * depth + c] = b1[i * depth + c] * b2[j * depth + c] }
      }
    }
    return (HostArray(down, shape: [p * q, depth]), HostArray(up, shape: [rows, p * q]))
  }

  func check(_ tensor: ChangedTensor) throws {
    guard first.shape[0] == tensor.rows, first.shape.dropFirst().reduce(1, *) == tensor.depth else {
      throw tensor.misfit(first.shape)
    }
  }

  func change(of tensor: ChangedTensor) throws -> [Float] {
    // Before anything of that size is made.
    try check(tensor)
    return zip(first.values, second.values).map { $0 * $1 }
  }
}
