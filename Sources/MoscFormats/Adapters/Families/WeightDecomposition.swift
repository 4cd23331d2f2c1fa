/// DoRA: the weight with another family's change is scaled to learnt lengths of its rows, or of its columns.
///
/// `W′ = m ∘ V / |V|` with `V = W + scale · change`; what is added to W is `W′ − W`, and strengths multiply
/// that, as in the web UI and ComfyUI. Source: Liu et al. 2024 (DoRA), eq. 5; LyCORIS stores lengths of rows
/// as `[out,1,…]` and of input channels as `[1,in,…]`, PEFT only those of rows.
struct WeightDecomposition: AdapterFamily {
  static let family = "DoRA"
  private static let lengths = "dora_scale"
  private static let magnitude = "lora_magnitude_vector"
  static let endings: [(ending: String, part: String)] = [
    (".dora_scale", lengths), (".lora_magnitude_vector", magnitude),
    (".lora_magnitude_vector.weight", magnitude), (".lora_magnitude_vector.default.weight", magnitude),
  ]

  private let inner: any AdapterFamily
  private let scale: Float
  private let lengths: HostArray
  private let isOfRows: Bool
  let rank: Int? = nil

  /// The decomposed change; nil for a layer without lengths.
  init?(
    _ tensors: LayerTensors, _ inner: any AdapterFamily, scale: Float
  ) throws(AdapterFault) {
    let part = tensors.has(Self.magnitude) ? Self.magnitude : Self.lengths
    guard tensors.has(part) else { return nil }
    lengths = try tensors.array(part, axes: 1)
    guard inner.changed == ["weight"] else {
      throw .leftOut("has no weight whose lengths it could give")
    }
    let shape = lengths.shape
    isOfRows = part == Self.magnitude || shape.count == 1 || shape[0] > 1
    guard shape.count(where: { $0 > 1 }) <= 1 else {
      throw tensors.error(part, "has shape \(shape), expected one length for each row or column")
    }
    self.inner = inner
    self.scale = scale
  }

  init(_ tensors: LayerTensors) throws(AdapterFault) {
    throw .leftOut("has lengths, but no change")
  }

  func check(_ tensor: ChangedTensor) throws {
    let inputs = tensor.depth / max(tensor.taps, 1)
    guard lengths.count == (isOfRows ? tensor.rows : inputs) else {
      throw tensor.misfit(lengths.shape)
    }
    try inner.check(tensor)
  }

  func change(of tensor: ChangedTensor) throws -> [Float] {
    try check(tensor)
    let weight = try tensor.values()
    let change = try inner.change(of: tensor)
    let moved = zip(weight, change).map { $0 + scale * $1 }
    let (depth, taps) = (tensor.depth, tensor.taps)
    func line(_ place: Int) -> Int { isOfRows ? place / depth : place % depth / taps }
    var squares = [Double](repeating: 0, count: lengths.count)
    for (place, value) in moved.enumerated() { squares[line(place)] += Double(value) * Double(value) }
    // A row of zeros has no direction, and stays.
    let factors = zip(lengths.floats, squares).map { $1 > 0 ? Double($0) / $1.squareRoot() : 0 }
    return moved.enumerated().map { place, value in
      Float(Double(value) * factors[line(place)]) - weight[place]
    }
  }
}
