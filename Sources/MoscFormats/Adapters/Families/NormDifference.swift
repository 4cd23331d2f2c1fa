/// Changes of the scale and shift of a normalisation, as LyCORIS stores them beside its other layers.
struct NormDifference: AdapterFamily {
  static let family = "a difference of a normalisation"
  static let endings: [(ending: String, part: String)] = [(".w_norm", "w_norm"), (".b_norm", "b_norm")]

  private let scale: HostArray?
  private let shift: HostArray?
  let rank: Int? = nil

  init(_ tensors: LayerTensors) throws(AdapterFault) {
    scale = tensors.has("w_norm") ? try tensors.array("w_norm", axes: 1) : nil
    shift = tensors.has("b_norm") ? try tensors.array("b_norm", axes: 1) : nil
  }

  var changed: [String] {
    [scale.map { _ in "weight" }, shift.map { _ in "bias" }].compactMap(\.self)
  }

  private func part(_ tensor: ChangedTensor) -> HostArray? { tensor.part == "bias" ? shift : scale }

  func check(_ tensor: ChangedTensor) throws {
    guard let change = part(tensor) else { return }
    guard change.shape == tensor.shape else { throw tensor.misfit(change.shape) }
  }

  func change(of tensor: ChangedTensor) throws -> [Float] {
    try check(tensor)
    return part(tensor)?.floats ?? [Float](repeating: 0, count: tensor.count)
  }
}
