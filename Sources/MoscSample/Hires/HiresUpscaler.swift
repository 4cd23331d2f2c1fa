import Foundation
import MoscImages

/// What makes the first pass of a picture larger for the second.
package enum HiresUpscaler: Hashable, Codable, Sendable {
  case latent(LatentFilter)
  case picture(ResamplingFilter)
  /// A network in a file.
  case file(String)

  /// Those that need no file.
  package static let builtIn = LatentFilter.allCases.map(Self.latent) + ResamplingFilter.allCases.map(Self.picture)

  /// The name that the A1111 web UI has for it; of a file its name without the ending.
  package var title: String {
    switch self {
    case .latent(.bilinear): "Latent"
    case .latent(let filter): "Latent (\(filter.rawValue))"
    case .picture(let filter): filter.rawValue.prefix(1).uppercased() + filter.rawValue.dropFirst()
    case .file(let path): URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    }
  }

  private static let endings: Set<String> = ["pth", "pt", "safetensors", "ckpt", "bin"]

  /// Reads the name of an upscaler in any case and with any dashes, or that of a file.
  package init?(spelling: String) {
    func plain(_ text: String) -> String { text.lowercased().filter { $0.isLetter || $0.isNumber } }
    let name = plain(spelling)
    if name == "none" {
      // The web UI's name for leaving it to the resizing that comes after.
      self = .picture(.lanczos)
    } else if let found = Self.builtIn.first(where: { plain($0.title) == name }) {
      self = found
    } else if name == "latentbilinear" {
      self = .latent(.bilinear)
    } else if Self.endings.contains(URL(fileURLWithPath: spelling).pathExtension.lowercased()) {
      self = .file(spelling)
    } else {
      return nil
    }
  }
}
