import MoscIR

extension UNet {
  /// The reuse of deep features between steps: a whole step leaves what the coarse layers made of it, and
  /// shallow steps take that instead of computing it.
  ///
  /// Skips are counted from the finest, the first convolution's output being number 0. A shallow step of
  /// depth d computes skips 0…d−1 anew, and the up layers that read them; what enters the first of these,
  /// `f32[n,h,w,c]`, is the *deep feature*. Source: Ma, Fang & Wang 2024 (DeepCache), whose branch b is
  /// depth b + 2 here.
  package struct Reuse: Hashable, Sendable {
    /// How many skips a shallow step computes.
    package var depth: Int
    /// Whether it is such a shallow step, with the deep feature as a parameter; else a whole one that
    /// gives the feature as a result.
    package var isShallow: Bool

    package init(depth: Int, isShallow: Bool) { (self.depth, self.isShallow) = (depth, isShallow) }

    /// The name of the parameter, and of the result.
    package static let feature = "deep_feature"
    /// The depth where nothing is said: the cheapest that keeps a residual block on the way down.
    package static let usualDepth = 2
  }
}

extension UNetConfig {
  /// The number of skips: of the first convolution, of every layer on the way down, of every halving.
  package var skipCount: Int { layersPerBlock.reduce(0, +) + widths.count }
}

/// Follows the layers of the way up, to tell which of them a step computes.
struct ReuseCut {
  let reuse: UNet.Reuse?
  /// The skips that no layer has read so far.
  var skips: Int

  /// The most skips that the way down computes.
  var limit: Int { reuse.map { $0.isShallow ? $0.depth : skips } ?? skips }

  /// Whether a shallow step does without the middle.
  var isShallow: Bool { reuse?.isShallow ?? false }

  /// Whether the layer that reads the last skip is left to whole steps.
  var leavesLayer: Bool { reuse.map { $0.isShallow && skips > $0.depth } ?? false }

  /// Whether that layer is the one that the deep feature enters.
  var isEntrance: Bool { reuse?.depth == skips }

  /// Whether what comes before that layer is left to whole steps.
  var leavesBefore: Bool { leavesLayer || (isShallow && isEntrance) }
}
