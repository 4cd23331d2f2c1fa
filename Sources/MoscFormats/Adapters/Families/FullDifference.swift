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
    weight = try Self.difference("diff", tensors)
    bias = try Self.difference("diff_b", tensors)
  }

  private static func difference(
    _ part: String, _ tensors: LayerTensors
  ) throws(AdapterFault) -> HostArray? {
    guard let array = try tensors.stored(part) else { return nil }
    guard !array.shape.isEmpty, array.count > 0 else {
      throw tensors.error(part, "has shape \(array.shape), expected at least 1 extent")
    }
    return array
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
