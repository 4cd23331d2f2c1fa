import Foundation
import MoscFormats
import MoscIR

/// The architecture of a `CLIPModel`: two towers whose features have one length.
///
/// Absent keys have the defaults of the transformers classes. Source: transformers `CLIPConfig`.
package struct CLIPConfig: Hashable, Sendable {
  package var text: TextEncoderConfig
  package var vision: CLIPVisionConfig
  /// The length of a feature.
  package var projection: Int

  /// Reads and checks a `config.json`.
  package init(_ object: JSONObject) throws {
    var reader = ConfigReader(object)
    try reader.require("model_type", .string("clip"))
    projection = try reader.int("projection_dim", default: 512)
    func part(_ key: String) throws -> ConfigReader {
      guard let value = object[key] else { return ConfigReader(JSONObject(path: object.path, members: [])) }
      guard let members = value.members else {
        throw object.error(key, "expected an object, found \(value.kindName)")
      }
      return ConfigReader(JSONObject(path: "\(object.path), \(key)", members: members))
    }
    text = try TextEncoderConfig(try part("text_config"))
    vision = try CLIPVisionConfig(try part("vision_config"))
  }
}

/// The architecture of CLIP's vision tower. Source: transformers `CLIPVisionConfig`.
package struct CLIPVisionConfig: Hashable, Sendable {
  package var width: Int
  package var innerWidth: Int
  package var layers: Int
  package var heads: Int
  /// The side of a picture and of a patch, in pixels.
  package var side: Int
  package var patch: Int
  package var channels: Int
  package var activation: TextEncoderConfig.Activation
  package var eps: Double

  package init(_ reader: ConfigReader) throws(Diagnostic) {
    var reader = reader
    try reader.require("model_type", .string("clip_vision_model"), or: .null)
    width = try reader.int("hidden_size", default: 768)
    innerWidth = try reader.int("intermediate_size", default: 3072)
    layers = try reader.int("num_hidden_layers", default: 12, atMost: 1024)
    heads = try reader.int("num_attention_heads", default: 12)
    side = try reader.int("image_size", default: 224, atMost: 1 << 14)
    patch = try reader.int("patch_size", default: 32, atMost: 1 << 14)
    channels = try reader.int("num_channels", default: 3)
    eps = try reader.double("layer_norm_eps", default: 1e-5)
    activation = try reader.choice(
      "hidden_act", [.string("quick_gelu"): .quickGelu, .string("gelu"): .gelu],
      default: .string("quick_gelu"))
    try reader.check(
      width % heads == 0, "num_attention_heads", "\(heads)", "a divisor of hidden_size \(width)")
    try reader.check(side % patch == 0, "patch_size", "\(patch)", "a divisor of image_size \(side)")
    try reader.check(channels == 3, "num_channels", "\(channels)", "3, for RGB pictures")
  }

  /// Patches along a side.
  package var patches: Int { side / patch }
}

/// How pictures become what CLIP's vision tower reads: the shorter edge resized (bicubic), the middle cut
/// out, and per channel `(x/255 − mean)/std`. Source: transformers `CLIPImageProcessor`, as
/// `preprocessor_config.json` describes it.
package struct CLIPPictureConfig: Hashable, Sendable {
  /// The length of the shorter edge after resizing, and the side that is cut out, in pixels.
  package var edge: Int
  package var crop: Int
  package var mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
  package var deviation: [Float] = [0.26862954, 0.26130258, 0.27577711]

  /// What CLIP does to pictures unless a file says otherwise.
  package init(side: Int) { (edge, crop) = (side, side) }

  /// Reads a `preprocessor_config.json`.
  ///
  /// - Throws: for steps that are left out or done otherwise, and for a crop that is not the vision tower's
  ///   side.
  package init(_ object: JSONObject, side: Int) throws(FormatError) {
    self.init(side: side)
    for key in ["do_resize", "do_center_crop", "do_rescale", "do_normalize"] {
      guard try object.bool(key, default: true) else {
        throw object.error(key, "is false; pictures are always resized, cut and normalised here")
      }
    }
    guard try object.int("resample", default: 3) == 3 else {
      throw object.error("resample", "expected 3, which is bicubic")
    }
    edge = try Self.length(object, "size", ["shortest_edge", "height"]) ?? side
    crop = try Self.length(object, "crop_size", ["height"]) ?? side
    guard crop == side, edge >= crop, edge <= 1 << 14 else {
      throw object.error(
        "crop_size", "found \(crop) after resizing to \(edge); expected the model's image_size \(side)")
    }
    mean = try Self.numbers(object, "image_mean") ?? mean
    deviation = try Self.numbers(object, "image_std") ?? deviation
    guard deviation.allSatisfy({ $0 > 0 }) else {
      throw object.error("image_std", "expected numbers above 0")
    }
  }

  private static func length(
    _ object: JSONObject, _ key: String, _ names: [String]
  ) throws(FormatError) -> Int? {
    guard let value = object[key] else { return nil }
    for candidate in [value] + names.compactMap({ value[$0] }) {
      if let number = candidate.int, number > 0 { return number }
    }
    throw object.error(key, "expected a length in pixels, or an object with \(names.joined(separator: " or "))")
  }

  private static func numbers(_ object: JSONObject, _ key: String) throws(FormatError) -> [Float]? {
    guard let value = object[key] else { return nil }
    let numbers = value.array?.compactMap(\.double) ?? []
    guard numbers.count == 3, numbers.allSatisfy(\.isFinite) else {
      throw object.error(key, "expected three numbers")
    }
    return numbers.map { Float($0) }
  }

  /// What the network reads for pixels `r g b r g b …`.
  package func values(_ pixels: [UInt8]) -> [Float] {
    let table = (0..<3).map { channel in
      (0..<256).map { (Float($0) / 255 - mean[channel]) / deviation[channel] }
    }
    return pixels.enumerated().map { table[$0 % 3][Int($1)] }
  }
}
