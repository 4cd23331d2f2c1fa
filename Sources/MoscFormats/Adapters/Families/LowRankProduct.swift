/// LoRA and LoCon: `up · down`, for convolutions with the kernel in `down`, or in a tensor between both.
///
/// Source: Hu et al. 2021, eq. 3; the middle tensor: LyCORIS, `make_weight_cp` (Tucker decomposition), here
/// multiplied into `down`: `down′[r,i,y,x] = Σ_s mid[r,s,y,x] · down[s,i]`.
struct LowRankProduct: AdapterFamily {
  static let family = "LoRA"
  private static let down = "lora_down"
  private static let up = "lora_up"
  private static let middle = "lora_mid"

  static let endings: [(ending: String, part: String)] = [
    ".lora_down.weight", "_lora.down.weight", ".lora_A.weight", ".lora_A.default.weight",
    ".lora.down.weight", ".lora_linear_layer.down.weight",
  ].map { ($0, down) } + [
    ".lora_up.weight", "_lora.up.weight", ".lora_B.weight", ".lora_B.default.weight",
    ".lora.up.weight", ".lora_linear_layer.up.weight",
  ].map { ($0, up) } + [(".lora_mid.weight", middle)]

  let down: HostArray
  let up: HostArray
  var rank: Int? { down.shape[0] }

  init(_ tensors: LayerTensors) throws(AdapterFault) {
    var down = try tensors.array(Self.down)
    let up = try tensors.array(Self.up)
    if tensors.has(Self.middle) {
      down = try Self.product(try tensors.array(Self.middle, axes: 4), down, tensors)
    }
    let (d, u) = (down.shape, up.shape)
    guard d.count == u.count, d.count == 2 || d.count == 4, d[0] == u[1], d[0] > 0,
      u.dropFirst(2).allSatisfy({ $0 == 1 })
    else {
      throw tensors.error(
        Self.down,
        "has shape \(d) beside \(u) of '\(tensors.parts[Self.up]?.name ?? "")', expected [k, in] and "
          + "[out, k]")
    }
    self.down = down
    self.up = up
  }

  private static func product(
    _ middle: HostArray, _ down: HostArray, _ tensors: LayerTensors
  ) throws(AdapterFault) -> HostArray {
    let (m, d) = (middle.shape, down.shape)
    guard m.count == 4, d.count == 4, m[1] == d[0], d[2] == 1, d[3] == 1,
      m[0] <= FloatMatrix.mostRanks, m[2] * m[3] <= FloatMatrix.mostRanks
    else {
      throw tensors.error(
        Self.middle, "has shape \(m), expected [k, \(d[0]), height, width] beside \(d) of lora_down")
    }
    let taps = m[2] * m[3]
    let (kernel, columns) = (middle.floats, down.floats)
    var result = [Float](repeating: 0, count: m[0] * d[1] * taps)
    for r in 0..<m[0] {
      for s in 0..<m[1] {
        for i in 0..<d[1] {
          let factor = columns[s * d[1] + i]
          for t in 0..<taps {
            result[(r * d[1] + i) * taps + t] += kernel[(r * m[1] + s) * taps + t] * factor
          }
        }
      }
    }
    return HostArray(result, shape: [m[0], d[1], m[2], m[3]])
  }

  func factors() -> (down: HostArray, up: HostArray)? { (down, up) }

  func check(_ tensor: ChangedTensor) throws {
    guard up.shape[0] == tensor.rows, down.count / down.shape[0] == tensor.depth else {
      throw tensor.misfit([up.shape[0]] + down.shape.dropFirst())
    }
  }

  func change(of tensor: ChangedTensor) throws -> [Float] {
    try check(tensor)
    return FloatMatrix.product(up.floats, down.floats, rows: tensor.rows, inner: down.shape[0])
  }
}
