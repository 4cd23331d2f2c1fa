import Foundation
import MoscFormats
import MoscImages
import MoscReport

/// ControlNets with the pictures that they follow.
package struct ControlOptions: Hashable, Codable, Sendable {
  package var nets: [ControlRequest] = []

  package init() {}
}

/// A picture that a ControlNet makes the drawing follow.
package struct ControlRequest: Hashable, Codable, Sendable {
  /// Whether the prompt or the picture counts more.
  package enum Mode: String, CaseIterable, Hashable, Codable, Sendable {
    /// Both alike.
    case balanced
    /// The prompt: coarse layers follow the picture, finer ones less and less.
    case prompt
    /// The picture: the same, and what guidance turns away from does not follow it.
    case control
    /// As `control`, with the weights for drawing without a prompt.
    case guess
  }

  /// The ControlNet's file or folder.
  package var net: String
  /// A file, or the picture itself as `data:image/png;base64,…`.
  package var image: String
  package var strength = 1.0
  /// The part of the steps in which it acts.
  package var start = 0.0, end = 1.0
  package var mode = Mode.balanced
  package var preprocessor = ControlPreprocessor.none

  package init(net: String, image: String) { (self.net, self.image) = (net, image) }
}

extension ControlRequest.Mode {
  /// What the results of a network are multiplied by, finest first, that of the middle last.
  ///
  /// 0.825 to the number of results between it and the middle, as the web UI's extension has it; from 0.1 to 1
  /// in equal ratios for `guess`, as diffusers has it.
  package func weights(_ count: Int) -> [Double] {
    switch self {
    case .balanced: [Double](repeating: 1, count: count)
    case .prompt, .control: (0..<count).map { pow(0.825, Double(count - 1 - $0)) }
    case .guess: (0..<count).map { pow(10, Double($0) / Double(max(1, count - 1)) - 1) }
    }
  }

  /// Whether what guidance turns away from is drawn without the picture.
  package var sparesNegative: Bool { self == .control || self == .guess }

  /// As the web UI's extension calls it.
  var title: String {
    switch self {
    case .balanced: "Balanced"
    case .prompt: "My prompt is more important"
    case .control, .guess: "ControlNet is more important"
    }
  }
}

/// What is made of a picture before a ControlNet reads it.
package enum ControlPreprocessor: Hashable, Codable, Sendable {
  case none
  /// Black and white exchanged, for drawings on white paper.
  case invert
  /// Edges by Canny with thresholds of 0…255.
  case canny(low: Int, high: Int)
  /// Thick dark strokes, as drawn by hand.
  case scribble

  /// The thresholds that other programs start with.
  package static let canny = Self.canny(low: 100, high: 200)

  /// Reads `none`, `invert`, `canny`, `canny:LOW,HIGH` or `scribble`.
  package init?(_ text: String) {
    switch text.lowercased() {
    case "none": self = .none
    case "invert": self = .invert
    case "canny": self = .canny
    case "scribble": self = .scribble
    case let text where text.hasPrefix("canny:"):
      let numbers = text.dropFirst(6).split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
      guard numbers.count == 2, let low = numbers[0], let high = numbers[1], low >= 0, low <= high,
        high <= 4080
      else { return nil }
      self = .canny(low: low, high: high)
    default: return nil
    }
  }

  /// The spelling that can be read again.
  package var text: String {
    switch self {
    case .none: "none"
    case .invert: "invert"
    case .canny(100, 200): "canny"
    case .canny(let low, let high): "canny:\(low),\(high)"
    case .scribble: "scribble"
    }
  }

  /// The picture that the network reads.
  package func callAsFunction(_ image: PixelImage) throws -> PixelImage {
    switch self {
    case .none: return image
    case .invert:
      var result = image
      for index in result.pixels.indices { result.pixels[index] = 255 - result.pixels[index] }
      return result
    case .canny(let low, let high): return CannyEdges(low: low, high: high)(image)
    case .scribble: return ScribbleLines()(image)
    }
  }
}

// MARK: What pictures tell of them

extension ControlOptions {
  /// As an object of everything, but for the files.
  var json: JSONValue {
    .array(
      nets.map { net in
        .fields([
          ("net", .string(Self.name(net.net))), ("image", .string(PictureText(net.image, "--control-image").title)),
          ("strength", .double(net.strength)), ("start", .double(net.start)), ("end", .double(net.end)),
          ("mode", .string(net.mode.rawValue)), ("preprocess", .string(net.preprocessor.text)),
        ])
      })
  }

  /// As the web UI's extension writes them.
  var settings: [GenerationParameters.Setting] {
    nets.enumerated().map { index, net in
      let module = net.preprocessor.text.prefix { $0 != ":" }
      return .init(
        "ControlNet \(index)",
        "Module: \(module), Model: \(URL(fileURLWithPath: net.net).deletingPathExtension().lastPathComponent), "
          + "Weight: \(GenerationParameters.number(net.strength)), Resize Mode: Just Resize, "
          + "Guidance Start: \(GenerationParameters.number(net.start)), "
          + "Guidance End: \(GenerationParameters.number(net.end)), Control Mode: \(net.mode.title)")
    }
  }

  private static func name(_ path: String) -> String { URL(fileURLWithPath: path).lastPathComponent }
}
