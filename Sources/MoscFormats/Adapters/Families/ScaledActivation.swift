/// (IA)³: the outputs of a layer, or its inputs, are multiplied by a learnt vector; so its weight is.
///
/// LyCORIS stores what is added to 1 with a flag for inputs, PEFT the factor itself in a shape that tells;
/// there, outputs are multiplied with their bias.
/// Source: Liu et al. 2022, eq. 1.
struct ScaledActivation: AdapterFamily {
  static let family = "(IA)³"
  static let endings: [(ending: String, part: String)] = [
    (".weight", "ia3_weight"), (".on_input", "on_input"), (".ia3_l", "ia3_l"),
    (".ia3_l.default", "ia3_l"),
  ]

  /// What is added to the factor 1.
  private let values: [Float]
  private let isOnInput: Bool
  private let isOnBias: Bool
  let rank: Int? = nil

  init(_ tensors: LayerTensors) throws(AdapterFault) {
    if tensors.has("ia3_l") {
      let factor = try tensors.array("ia3_l")
      values = factor.floats.map { $0 - 1 }
      isOnInput = factor.shape[0] == 1 && factor.shape[1] > 1
      isOnBias = !isOnInput
      return
    }
    guard let flag = try tensors.number("on_input") else {
      throw .leftOut("is a whole tensor of a layer, no part of an adapter")
    }
    values = try tensors.array("ia3_weight", axes: 1).floats
    isOnInput = flag != 0
    isOnBias = false
  }

  var changedIfPresent: [String] { isOnBias ? ["bias"] : [] }

  func check(_ tensor: ChangedTensor) throws {
    let inputs = tensor.depth / max(tensor.taps, 1)
    guard values.count == (isOnInput ? inputs : tensor.rows) else {
      throw tensor.misfit(isOnInput ? [1, values.count] : [values.count, 1])
    }
  }

  func change(of tensor: ChangedTensor) throws -> [Float] {
    try check(tensor)
    let (depth, taps) = (tensor.depth, tensor.taps)
    return try tensor.values().enumerated().map { place, weight in
      weight * values[isOnInput ? place % depth / taps : place / depth]
    }
  }
}
