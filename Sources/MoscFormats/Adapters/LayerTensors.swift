/// Why a layer of an adapter file is not read.
package enum AdapterFault: Error {
  /// The layer is left out, for this reason.
  case leftOut(String)
  /// The file is broken.
  case broken(FormatError)
}

/// The tensors of one layer in an adapter file, by what each is for its family.
package struct LayerTensors: Sendable {
  let path: String
  let layer: AdapterName.Layer
  /// The scale rule that stands beside the tensors.
  let settings: PEFTSettings?
  /// The names in the file, in order.
  private(set) var names: [String] = []
  private(set) var parts: [String: (name: String, array: HostArray)] = [:]

  init(_ path: String, _ layer: AdapterName.Layer, _ settings: PEFTSettings?) {
    self.path = path
    self.layer = layer
    self.settings = settings
  }

  mutating func take(
    _ part: String, _ name: String, _ array: HostArray
  ) throws(FormatError) {
    if let other = parts[part] {
      throw FormatError(path, "tensor \"\(name)\"", "is there twice, as \(other.name) too")
    }
    parts[part] = (name, array)
    names.append(name)
  }

  func has(_ part: String) -> Bool { parts[part] != nil }

  /// An error about a part.
  func error(_ part: String, _ message: String) -> AdapterFault {
    .broken(FormatError(path, "tensor \"\(parts[part]?.name ?? layer.key)\"", message))
  }

  /// The finite numbers of a part as f32; nil when it is not there.
  func optional(_ part: String) throws(AdapterFault) -> HostArray? {
    try finite(part).map { HostArray($0.floats, shape: $0.array.shape) }
  }

  /// A part of finite numbers in its own type, which may be as large as the model; nil when it is not there.
  func stored(_ part: String) throws(AdapterFault) -> HostArray? { try finite(part)?.array }

  private func finite(_ part: String) throws(AdapterFault) -> (array: HostArray, floats: [Float])? {
    guard let (_, array) = parts[part] else { return nil }
    guard array.dtype.isFloat else {
      throw .leftOut("is \(array.dtype.rawValue), expected floating-point numbers")
    }
    let floats = array.floats
    if let bad = floats.first(where: { !$0.isFinite }) {
      throw error(part, "holds \(bad), expected numbers")
    }
    return (array, floats)
  }

  /// The finite numbers of a part that must be there, with at least so many axes.
  func array(_ part: String, axes: Int = 2) throws(AdapterFault) -> HostArray {
    guard let array = try optional(part) else { throw .leftOut("its \(part) is missing") }
    guard array.shape.count >= axes, array.count > 0 else {
      throw error(part, "has shape \(array.shape), expected at least \(axes) extents")
    }
    return array
  }

  /// The single number of a part, of any type: writers store alphas as floats and as integers.
  func number(_ part: String) throws(AdapterFault) -> Float? {
    guard let (_, array) = parts[part] else { return nil }
    guard array.count == 1, let value = array.floats.first, value.isFinite else {
      throw error(part, "has shape \(array.shape), expected one finite number")
    }
    return value
  }

  /// The multiplier at strength 1: alpha / rank, alpha itself where the family of names means it so, or what
  /// the settings beside the tensors say.
  ///
  /// - Parameter rank: nil for changes without a rank, whose alpha says nothing.
  func scale(rank: Int?) throws(AdapterFault) -> Float {
    if let scale = try number(AdapterFamilies.scale) { return scale }
    let alpha = try number(AdapterFamilies.alpha)
    if layer.isDirect { return alpha ?? 1 }
    if let alpha { return rank.map { alpha / Float($0) } ?? 1 }
    guard let settings else { return 1 }
    do {
      return try settings.scale(of: layer.stem, rank: rank)
    } catch {
      throw .broken(error)
    }
  }
}
