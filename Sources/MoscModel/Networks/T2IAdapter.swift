import MoscIR

/// The sizes of a T2I-Adapter, found in the shapes of its tensors.
package struct T2IAdapterConfig: Hashable, Sendable {
  /// The channels of the condition image: 1 for a sketch, 3 for a pose.
  package var imageChannels: Int
  /// The width of each of the maps.
  package var widths: [Int]
  /// The residual blocks of a level.
  package var blocksPerLevel: Int
  /// Whether a level starts with a 1×1 convolution; where the width changes it always does.
  package var hasInputConvolution: [Bool]

  /// The side of the squares of pixels that become channels: the autoencoder's reduction.
  package static let unshuffle = 8

  package init(
    imageChannels: Int, widths: [Int], blocksPerLevel: Int = 2, hasInputConvolution: [Bool]? = nil
  ) {
    self.imageChannels = imageChannels
    self.widths = widths
    self.blocksPerLevel = blocksPerLevel
    self.hasInputConvolution =
      hasInputConvolution ?? widths.indices.map { $0 > 0 && widths[$0] != widths[$0 - 1] }
  }
}

/// A network that turns a condition image into a map for every resolution of a U-Net.
///
/// Function `@t2i_adapter(%image f32[n,h,w,c]) -> map0, map1, …`: image in 0…1, map k
/// `f32[n,⌈h/8·2ᵏ⌉,⌈w/8·2ᵏ⌉,cₖ]`. Squares of 8×8 pixels become channels, then every level after the
/// first halves by averaging, and adds residual blocks `x + W₂ relu(W₁ x)` (3×3, 1×1). Source: Mou
/// et al. 2023; diffusers `FullAdapter`.
package struct T2IAdapter {
  package var config: T2IAdapterConfig

  package init(_ config: T2IAdapterConfig) { self.config = config }

  /// The names of the original release for those of diffusers, which number blocks by level.
  package var spellings: [Spelling] {
    var result = [Spelling.prefix("adapter.conv_in.", stored: "conv_in.")]
    for level in config.widths.indices {
      let first = level * config.blocksPerLevel
      let path = "adapter.body.\(level)"
      result.append(
        Spelling.prefix("\(path).in_conv.", stored: "body.\(first).in_conv."))
      for block in 0..<config.blocksPerLevel {
        result.append(
          Spelling.prefix(
            "\(path).resnets.\(block).", stored: "body.\(first + block)."))
      }
    }
    return result
  }

  /// The IR of the network for a batch of images of a size in pixels.
  ///
  /// - Errors: those of `NetworkWeights.weight`; `model.size` for a size that is no multiple of 8.
  package func graph(
    batch: Int = 1, height: Int, width: Int, _ weights: inout NetworkWeights
  ) throws(Diagnostic) -> Graph {
    try expectPositive(("batch", batch), ("height", height), ("width", width))
    let side = T2IAdapterConfig.unshuffle
    for (name, size) in [("height", height), ("width", width)] where size % side != 0 {
      throw Diagnostic(
        "model.size", "the condition image's \(name) is \(size), expected a multiple of \(side)")
    }
    var b = ModelBuilder("t2i_adapter", weights)
    let image = b.graph.parameter("image", .f32(batch, height, width, config.imageChannels))
    var x = try b.pixelUnshuffle(image, by: side)
    x = try b.conv(x, "adapter.conv_in", out: config.widths.first ?? 0)
    var maps: [ValueID] = []
    for (level, out) in config.widths.enumerated() {
      let path = "adapter.body.\(level)"
      if level > 0 { x = try halved(x, path, in: &b) }
      if config.hasInputConvolution[level] {
        x = try b.conv(x, "\(path).in_conv", out: out, kernel: 1)
      }
      for block in 0..<config.blocksPerLevel {
        x = try residual(x, "\(path).resnets.\(block)", in: &b)
      }
      maps.append(x)
    }
    var graph = b.finish([:], &weights)
    graph.results = maps
    graph.resultNames = maps.indices.map { Self.mapName($0) }
    return graph
  }

  /// The name of the map of a level.
  package static func mapName(_ level: Int) -> String { "map\(level)" }

  /// Averages squares of 2×2 pixels; at an odd edge, of the pixels that exist.
  ///
  /// `[n,h,w,c]` → `[n,⌈h/2⌉,⌈w/2⌉,c]`.
  private func halved(
    _ x: ValueID, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let s = b.type(x).shape
    let (rows, columns) = ((s[1] + 1) / 2, (s[2] + 1) / 2)
    var even = x
    if s[1] % 2 + s[2] % 2 > 0 {
      even = try b.graph.pad(x, low: [0, 0, 0, 0], high: [0, s[1] % 2, s[2] % 2, 0])
    }
    let split = try b.graph.reshape(even, to: [s[0], rows, 2, columns, 2, s[3]])
    let sum = try b.graph.reduceSum(split, axes: [2, 4])
    let flat = try b.graph.reshape(sum, to: [s[0], rows, columns, s[3]])
    var shares: [Double] = []
    for row in 0..<rows {
      for column in 0..<columns {
        let present = min(2, s[1] - 2 * row) * min(2, s[2] - 2 * column)
        shares.append(1 / Double(present))
      }
    }
    let share =
      s[1] % 2 + s[2] % 2 > 0
      ? try b.graph.constant(shares, .f32(1, rows, columns, 1))
      : try b.graph.constant(0.25, .f32(1, 1, 1, 1))
    return try b.graph.mul(flat, share, name: "\(path).downsample")
  }

  /// `x + W₂ relu(W₁ x)`.
  private func residual(
    _ x: ValueID, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let width = b.type(x).lastExtent
    var h = try b.conv(x, "\(path).block1", out: width)
    let zero = try b.graph.constant(0, .f32(1, 1, 1, 1))
    h = try b.graph.maximum(h, zero, name: "\(path).act")
    h = try b.conv(h, "\(path).block2", out: width, kernel: 1)
    return try b.graph.add(h, x, name: path)
  }
}
