/// A family of adapters: what the tensors of a layer are called, and what they do to its weights.
///
/// A new family is one file with a type of this protocol, and its line in `AdapterFamilies.all`.
package protocol AdapterFamily: Sendable {
  /// What messages call the family.
  static var family: String { get }
  /// The endings of the names of its tensors, each with the part that such a tensor is.
  static var endings: [(ending: String, part: String)] { get }

  /// Reads the tensors of a layer.
  init(_ tensors: LayerTensors) throws(AdapterFault)

  /// The rank that alpha is divided by; nil when there is none.
  var rank: Int? { get }

  /// The two narrow factors whose product the change is, `[k,…]` and `[o,k]`; nil for other changes.
  func factors() throws(AdapterFault) -> (down: HostArray, up: HostArray)?

  /// The tensors of the layer that are changed: `weight`, `bias`.
  var changed: [String] { get }

  /// Further tensors that are changed where the layer has them.
  var changedIfPresent: [String] { get }

  /// Makes sure that the change is for a tensor of this shape.
  func check(_ tensor: ChangedTensor) throws

  /// What is added to a tensor of the layer at strength 1, before the scale, in its order.
  func change(of tensor: ChangedTensor) throws -> [Float]
}

extension AdapterFamily {
  package var changed: [String] { ["weight"] }
  package var changedIfPresent: [String] { [] }
  package func factors() throws(AdapterFault) -> (down: HostArray, up: HostArray)? { nil }
}

/// A tensor of the model that an adapter changes.
package struct ChangedTensor: Sendable {
  /// `weight` or `bias`.
  package var part: String
  package var shape: [Int]
  /// The file of the adapter and the layer, for errors.
  package var path: String
  package var layer: String
  /// Its present numbers, read only where a family asks for them.
  package var values: @Sendable () throws -> [Float]

  package init(
    part: String, shape: [Int], path: String, layer: String, values: @escaping @Sendable () throws -> [Float]
  ) {
    self.part = part
    self.shape = shape
    self.path = path
    self.layer = layer
    self.values = values
  }

  var count: Int { shape.reduce(1, *) }
  /// Rows, and numbers in a row.
  var rows: Int { shape.first ?? 1 }
  var depth: Int { count / max(rows, 1) }
  /// The numbers of one input channel in a row.
  var taps: Int { shape.dropFirst(2).reduce(1, *) }

  /// An adapter that is for a layer of another shape.
  func misfit(_ found: [Int]) -> FormatError {
    FormatError(
      path, "layer '\(layer)'",
      "the adapter is for a \(part) of shape \(found), the model's has shape \(shape); it was trained on "
        + "another base")
  }
}

/// All families, and the parts that any of them may have.
enum AdapterFamilies {
  static let alpha = "alpha"
  static let scale = "scale"

  static let all: [any AdapterFamily.Type] = [
    LowRankProduct.self, HadamardProduct.self, KroneckerProduct.self, FullDifference.self,
    ScaledActivation.self, NormDifference.self, OrthogonalRotation.self,
  ]

  /// What any layer may have besides the tensors of its family.
  private static let common = [
    (ending: ".alpha", part: alpha), (ending: ".scale", part: scale),
  ]

  /// The endings of all families, the longest first.
  static let endings: [(ending: String, part: String)] =
    (all.flatMap { $0.endings } + common + WeightDecomposition.endings)
    .sorted { $0.ending.utf8.count > $1.ending.utf8.count }

  /// Kinds that are known and not read; the beginning of what follows the layer's name.
  static let unread = [
    ("oft_r", "OFT in the form of PEFT (oft_R) is not read, only LyCORIS' and kohya's; merge it into a model there"),
    ("oft_R", "OFT in the form of PEFT (oft_R) is not read, only LyCORIS' and kohya's; merge it into a model there"),
    ("boft_", "BOFT in the form of PEFT (boft_R) is not read, only LyCORIS'; merge it into a model there"),
    ("glora_", "GLoRA is not supported"), ("vera_", "VeRA is not supported"),
    ("a1.", "GLoRA is not supported"), ("b1.", "GLoRA is not supported"),
  ]

  /// The changes of a layer, each with its multiplier at strength 1.
  static func read(
    _ tensors: LayerTensors
  ) throws(AdapterFault) -> [(change: any AdapterFamily, scale: Float)] {
    let parts = tensors.parts.keys.sorted()
    for part in parts {
      if let (_, reason) = unread.first(where: { part.hasPrefix($0.0) }) { throw .leftOut(reason) }
      if part.hasPrefix(AdapterName.unknown) {
        throw .leftOut(
          "'\(part.dropFirst(AdapterName.unknown.count))' is no part of an adapter that is known here")
      }
    }
    var families = all.filter { family in family.endings.contains { tensors.has($0.part) } }
    var result: [(change: any AdapterFamily, scale: Float)] = []
    // A difference of the bias goes with any change of the weight.
    if families.count > 1, let place = families.firstIndex(where: { $0 == FullDifference.self }) {
      let difference = try FullDifference(tensors)
      if difference.changed == ["bias"] {
        families.remove(at: place)
        result.append((difference, 1))
      }
    }
    guard let family = families.first else { throw .leftOut("its lora_down is missing") }
    guard families.count == 1 else {
      throw .leftOut("the layer is at once \(families.map { $0.family }.joined(separator: " and "))")
    }
    let change = try family.init(tensors)
    let scale = try tensors.scale(rank: change.rank)
    if let decomposed = try WeightDecomposition(tensors, change, scale: scale) {
      return [(decomposed, 1)] + result
    }
    if tensors.settings?.isDecomposed == true {
      throw .leftOut("its settings say DoRA, but its lora_magnitude_vector is missing")
    }
    return [(change, scale)] + result
  }
}
