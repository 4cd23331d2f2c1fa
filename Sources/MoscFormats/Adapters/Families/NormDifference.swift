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

  func change(of tensor: ChangedTensor) throws -> [Float] {
    guard let change = tensor.part == "bias" ? shift : scale else {
      return [Float](repeating: 0, count: tensor.count)
    }
    guard change.shape == tensor.shape else { throw tensor.misfit(change.shape) }
    return change.floats
  }
}
