import MoscFormats
import MoscReport

/// A picture that a run begins with, and what of it is drawn anew.
package struct PictureOptions: Hashable, Codable, Sendable {
  /// How a picture is brought to another size. The web UI's resize modes.
  package enum Resize: String, CaseIterable, Hashable, Codable, Sendable {
    /// Stretched.
    case resize
    /// Scaled until it covers the size, and cut around its centre.
    case crop
    /// Scaled until it fits in, and its edges repeated.
    case pad
  }

  /// What a masked part holds before it is drawn. The web UI's masked contents.
  package enum Fill: String, CaseIterable, Hashable, Codable, Sendable {
    /// The colours around it.
    case fill
    case original
    /// Noise in place of latents.
    case noise
    /// Zeros in place of latents.
    case nothing
  }

  /// Pixels that are added at the sides of the picture and drawn.
  package struct Margins: Hashable, Codable, Sendable {
    package var left = 0
    package var right = 0
    package var top = 0
    package var bottom = 0

    package init() {}
    package var isEmpty: Bool { left == 0 && right == 0 && top == 0 && bottom == 0 }
  }

  /// A file, or the picture itself as `data:image/png;base64,…`; nil for pictures from text alone.
  package var image: String?
  /// How much of the denoising is done, 0 to 1; nil for what is usual.
  package var strength: Double?
  package var resize = Resize.resize
  /// A picture that is white where the picture is drawn anew; nil for all of it.
  package var mask: String?
  package var invertsMask = false
  /// The width over which the edge of the mask fades, σ in pixels; nil for the usual one.
  package var maskBlur: Double?
  /// nil for what suits.
  package var fill: Fill?
  /// Whether the surroundings of the mask are drawn in the size that is asked for, and put back.
  package var drawsOnlyMasked = false
  /// Pixels around the mask that are drawn with it.
  package var padding: Int?
  package var margins = Margins()
  /// Whether the picture stays as it is outside of all regions.
  package var keepsOutside = false

  package init() {}

  package static let usualStrength = 0.75
  package static let usualBlur = 4.0
  package static let usualPadding = 32

  /// Refuses what has no meaning without a picture or a mask, and numbers out of range.
  func check() throws {
    if let strength, !(0...1 ~= strength) {
      throw CommandError.usage("--strength \(strength): expected a number from 0 to 1")
    }
    if let maskBlur, !(0...64 ~= maskBlur) {
      throw CommandError.usage("--mask-blur \(maskBlur): expected a number from 0 to 64")
    }
    if let padding { try CommandError.check("inpaint-full-res-padding", padding, in: 0...4096) }
    for side in [margins.left, margins.right, margins.top, margins.bottom] {
      try CommandError.check("outpaint", side, in: 0...4096)
    }
    let given = [
      ("--strength", strength != nil), ("--mask", mask != nil), ("--outpaint", !margins.isEmpty),
      ("--keep-outside", keepsOutside), ("--resize-mode", resize != .resize),
    ]
    if image == nil, let (option, _) = given.first(where: \.1) {
      throw CommandError.usage("\(option) is for a picture to begin with: give it with --init-img")
    }
    let needMask = [
      ("--mask-blur", maskBlur != nil), ("--inpaint-fill", fill != nil),
      ("--inpaint-full-res", drawsOnlyMasked), ("--inpaint-full-res-padding", padding != nil),
    ]
    let hasMask = mask != nil || !margins.isEmpty || keepsOutside
    if !hasMask, let (option, _) = needMask.first(where: \.1) {
      throw CommandError.usage("\(option) is for a part of a picture: give it with --mask")
    }
    if mask == nil, invertsMask {
      throw CommandError.usage("--inpaint-invert is for a mask: give it with --mask")
    }
    if padding != nil, !drawsOnlyMasked {
      throw CommandError.usage("--inpaint-full-res-padding is for --inpaint-full-res")
    }
  }

  /// How many of so many steps are left out at a strength: all but the last `⌊steps·strength⌋`.
  ///
  /// - Source: diffusers' `get_timesteps`.
  package static func leftOut(of steps: Int, strength: Double) -> Int {
    steps - min(Int(Double(steps) * strength), steps)
  }
}

extension PictureOptions.Resize {
  /// Reads the name of a mode, or the web UI's name or number of it.
  package init?(spelling: String) {
    switch spelling.lowercased().filter({ !" _-".contains($0) }) {
    case "resize", "justresize", "0": self = .resize
    case "crop", "cropandresize", "1": self = .crop
    case "pad", "resizeandfill", "2": self = .pad
    default: return nil
    }
  }
}

extension PictureOptions.Fill {
  /// Reads the name of a content, or the web UI's name or number of it.
  package init?(spelling: String) {
    switch spelling.lowercased().filter({ !" _-".contains($0) }) {
    case "fill", "0": self = .fill
    case "original", "1": self = .original
    case "noise", "latentnoise", "2": self = .noise
    case "nothing", "latentnothing", "3": self = .nothing
    default: return nil
    }
  }

  /// The web UI's name, which metadata uses.
  package var title: String {
    switch self {
    case .fill, .original: rawValue
    case .noise, .nothing: "latent \(rawValue)"
    }
  }
}

extension PictureOptions.Margins {
  /// Reads `left=64,right=64`, or one number for all sides.
  package init?(spelling: String) {
    self.init()
    if let all = Int(spelling) {
      (left, right, top, bottom) = (all, all, all, all)
      return
    }
    var seen: Set<String> = []
    for part in spelling.split(separator: ",", omittingEmptySubsequences: false) {
      let pair = part.filter { $0 != " " }.split(separator: "=", omittingEmptySubsequences: false)
      guard pair.count == 2, let pixels = Int(pair[1]), seen.insert(String(pair[0])).inserted else { return nil }
      switch pair[0] {
      case "left": left = pixels
      case "right": right = pixels
      case "top", "up": top = pixels
      case "bottom", "down": bottom = pixels
      default: return nil
      }
    }
  }

  package var description: String {
    "left=\(left),right=\(right),top=\(top),bottom=\(bottom)"
  }
}
