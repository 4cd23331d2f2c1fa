import MoscFormats

/// Strengths of an adapter by block of the U-Net, as `lbw=` spells them.
///
/// 26 blocks: the text encoder (`BASE`), `IN00` to `IN11`, `M00` and `OUT00` to `OUT11`, counted as
/// latent-diffusion checkpoints do (`input_blocks`, `middle_block`, `output_blocks`). 17 numbers are for the blocks
/// with attention of Stable Diffusion 1.x, 12 and 20 for those of XL; blocks without a number get 0. Source: README
/// and presets of sd-webui-lora-block-weight.
package struct BlockWeights: Hashable, Codable, Sendable {
  /// As it was written.
  package let text: String
  private let base: Float
  private let input: [Float]
  private let middle: Float
  private let output: [Float]

  private static let blocks = 12
  private static let all = ["BASE"] + names("IN", 0..<blocks) + ["M00"] + names("OUT", 0..<blocks)
  /// The blocks of lists by their lengths.
  private static let lists: [Int: [String]] = [
    26: all,
    17: ["BASE", "IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "M00"] + names("OUT", 3..<12),
    12: ["BASE", "IN04", "IN05", "IN07", "IN08", "M00"] + names("OUT", 0..<6),
    20: ["BASE"] + names("IN", 0..<9) + ["M00"] + names("OUT", 0..<9),
  ]

  private static func names(_ kind: String, _ range: Range<Int>) -> [String] {
    range.map { kind + ($0 < 10 ? "0" : "") + "\($0)" }
  }

  /// The lists that have names.
  private static let presets: [(name: String, values: [Float])] = [
    ("NONE", part(base: 0)), ("ALL", part(base: 1, input: 0..<6, middle: 1, output: 0..<9)),
    ("INS", part(base: 1, input: 0..<3)), ("IND", part(base: 1, input: 3..<6)),
    ("INALL", part(base: 1, input: 0..<6)), ("MIDD", part(base: 1, input: 3..<6, middle: 1, output: 0..<4)),
    ("OUTD", part(base: 1, output: 0..<4)), ("OUTS", part(base: 1, output: 4..<9)),
    ("OUTALL", part(base: 1, output: 0..<9)), ("ALL0.5", [Float](repeating: 0.5, count: 17)),
  ]

  /// 17 numbers that are 1 in ranges of the blocks with attention.
  private static func part(
    base: Float, input: Range<Int> = 0..<0, middle: Float = 0, output: Range<Int> = 0..<0
  ) -> [Float] {
    [base] + (0..<6).map { input.contains($0) ? 1 : 0 } + [middle] + (0..<9).map { output.contains($0) ? 1 : 0 }
  }

  /// Reads numbers with commas between them, or the name of a list.
  ///
  /// - Throws: `FormatError` for what is neither.
  package init(_ text: String) throws(FormatError) {
    self.text = text
    let values: [Float]
    if let preset = Self.presets.first(where: { $0.name == text.uppercased() }) {
      values = preset.values
    } else {
      let parts = text.split(separator: ",", omittingEmptySubsequences: false)
      let numbers = parts.compactMap { Float($0.filter { $0 != " " }) }.filter(\.isFinite)
      guard numbers.count == parts.count, Self.lists[numbers.count] != nil else {
        let names = Self.presets.map(\.name).joined(separator: ", ")
        throw FormatError(
          "lbw=\(text)", nil, "expected 17, 26, 12 or 20 numbers, or one of \(names); found "
            + (parts.count == 1 ? "a word" : "\(numbers.count) numbers among \(parts.count)"))
      }
      values = numbers
    }
    let own = Dictionary(
      zip(Self.lists[values.count] ?? [], values), uniquingKeysWith: { first, _ in first })
    func list(_ kind: String) -> [Float] { Self.names(kind, 0..<Self.blocks).map { own[$0] ?? 0 } }
    (base, input, middle, output) = (own["BASE"] ?? 0, list("IN"), own["M00"] ?? 0, list("OUT"))
  }

  /// What the strength of a layer is multiplied by; that of the U-Net's layers outside of all blocks is 1.
  ///
  /// - Parameter stored: the layer's path in a checkpoint.
  func factor(_ network: AdapterFile.Network, stored: String?) -> Float {
    guard network == .unet else { return base }
    let path = stored?.split(separator: ".") ?? []
    let number = path.count > 1 ? Int(path[1]) ?? 0 : 0
    switch path.first {
    case "input_blocks": return number < Self.blocks ? input[number] : 1
    case "middle_block": return middle
    case "output_blocks": return number < Self.blocks ? output[number] : 1
    default: return 1
    }
  }
}

extension AdapterStrength {
  /// The strength of a layer.
  ///
  /// - Parameter names: the names of checkpoints for the U-Net's layers.
  func strength(_ layer: LayerID, _ names: LDMNames) -> Float {
    guard let blocks else { return self[layer.network] }
    // Paths of tensors and of layers alike: the names differ in the last part alone.
    let stored = names.stored("\(layer.path).weight") ?? names.stored(layer.path)
    return self[layer.network] * blocks.factor(layer.network, stored: stored)
  }
}
