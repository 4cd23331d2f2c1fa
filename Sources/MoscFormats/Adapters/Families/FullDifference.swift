/// Full files: the change of a weight as it is, and of its bias.
///
/// Source: LyCORIS, `full.py`; the spellings are kohya's and ComfyUI's.
struct FullDifference: AdapterFamily {
  static let family = "a full difference"
  static let endings: [(ending: String, part: String)] = [(".diff", "diff"), (".diff_b", "diff_b")]

  private let weight: HostArray?
  private let bias: HostArray?
  let rank: Int? = nil

  init(_ tensors: LayerTensors) throws(AdapterFault) {
    weight = tensors.has("diff") ? try tensors.array("diff", axes: 1) : nil
    bias = tensors.has("diff_b") ? try tensors.array("diff_b", axes: 1) : nil
  }

  var changed: [String] {
    [weight.map { _ in "weight" }, bias.map { _ in "bias" }].compactMap(\.self)
  }

  private func part(_ tensor: ChangedTensor) -> HostArray? { tensor.part == "bias" ? bias : weight }

  func check(_ tensor: ChangedTensor) throws {
    guard let change = part(tensor) else { return }
    // A linear layer may be stored as a 1×1 convolution.
    func core(_ shape: [Int]) -> [Int] { Array(shape.prefix(2)) + shape.dropFirst(2).filter { $0 > 1 } }
    guard core(change.shape) == core(tensor.shape) else { throw tensor.misfit(change.shape) }
  }

  func change(of tensor: ChangedTensor) throws -> [Float] {
    try check(tensor)
    return part(tensor)?.floats ?? [Float](repeating: 0, count: tensor.count)
  }
}
