import Foundation
import MoscEngine
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport

/// What a CLIP model sees in a picture or reads in a text, at unit length.
struct Feature: Hashable, Sendable {
  let values: [Float]

  /// The cosine of the angle between two features.
  func cosine(_ other: Feature) -> Double {
    zip(values, other.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }

  /// The mean cosine with some features.
  func cosine(with others: [Feature]) -> Double {
    others.reduce(0) { $0 + cosine($1) } / Double(max(1, others.count))
  }
}

/// A CLIP model that pictures are shown to.
///
/// It computes in f32 whatever pictures are drawn with, so that numbers of two runs compare.
final class Judge {
  private let encoder: CLIPEncoder
  private var known: [String: Feature] = [:]

  /// - Parameter path: the model's folder; nil for the one that ships.
  init(_ path: String?, _ options: CompilationOptions, _ reporter: Reporter) throws {
    let model = try path.map { try CLIPModelFolder(at: URL(fileURLWithPath: $0)) } ?? .judge()
    encoder = CLIPEncoder(model, try Compiler(options, precision: .f32, reporter))
  }

  /// The model's folder.
  var place: String { encoder.model.url.path }

  /// What a masked background is replaced by: the colour that is zero to the network.
  var meanColour: [UInt8] { encoder.model.picture.mean.map { UInt8(($0 * 255).rounded()) } }

  func features(of pictures: [PixelImage]) throws -> [Feature] {
    let picture = encoder.model.picture
    return try encoder.pictures(pictures.count) { index in
      try Interruption.check()
      return picture.values(
        try pictures[index].rgb.framed(edge: picture.edge, crop: picture.crop).pixels)
    }.map(Feature.init)
  }

  /// The features of texts, in their order.
  func features(of texts: [String]) throws -> [Feature] {
    let new = Set(texts).subtracting(known.keys).sorted()
    for (text, values) in zip(new, try encoder.texts(new)) { known[text] = Feature(values: values) }
    return texts.compactMap { known[$0] }
  }
}
