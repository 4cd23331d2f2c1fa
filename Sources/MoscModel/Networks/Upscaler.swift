import MoscIR

/// The sizes of an upscaling network, found in the shapes of its tensors.
package struct UpscalerConfig: Hashable, Sendable {
  /// The channels of pictures.
  package var channels: Int
  /// The channels between blocks, and those that each layer of a block adds.
  package var width, growth: Int
  /// Residual-in-residual blocks.
  package var blocks: Int
  /// How often the picture is doubled at the end.
  package var doublings: Int
  /// The side of the squares of pixels that become channels at the beginning; 1 for none.
  package var unshuffle: Int

  package init(
    channels: Int = 3, width: Int = 64, growth: Int = 32, blocks: Int = 23, doublings: Int = 2, unshuffle: Int = 1
  ) {
    (self.channels, self.width, self.growth) = (channels, width, growth)
    (self.blocks, self.doublings, self.unshuffle) = (blocks, doublings, unshuffle)
  }

  /// How many times larger pictures become.
  package var scale: Int { (1 << doublings) / unshuffle }
}

/// A network that enlarges pictures: RRDBNet, of ESRGAN and Real-ESRGAN.
///
/// Function `@upscaler(%image f32[n,h,w,c]) -> result f32[n,s·h,s·w,c]`, both in 0…1. A block is three dense blocks,
/// each of five 3×3 convolutions that read all before them, with `x + 0.2·f(x)` around each and around the whole.
/// Then the picture is doubled by nearest neighbour before a convolution, twice for four times its size; networks
/// for less begin with squares of pixels as channels. Activations are `max(x, 0.2·x)`.
///
/// Source: Wang et al. 2018, 2021; BasicSR `RRDBNet`, under whose names layers are asked for.
package struct Upscaler: Sendable {
  package var config: UpscalerConfig

  package init(_ config: UpscalerConfig) { self.config = config }

  /// The IR of the network for a batch of pictures of a size in pixels.
  ///
  /// - Errors: those of `NetworkWeights.weight`; `model.size` for a size that is no whole number of squares.
  package func graph(
    batch: Int = 1, height: Int, width: Int, _ weights: inout NetworkWeights
  ) throws(Diagnostic) -> Graph {
    try expectPositive(("batch", batch), ("height", height), ("width", width))
    for (name, size) in [("height", height), ("width", width)] where size % config.unshuffle != 0 {
      throw Diagnostic(
        "model.size", "the picture's \(name) is \(size), expected a multiple of \(config.unshuffle)")
    }
    var b = ModelBuilder("upscaler", weights)
    var x = b.graph.parameter("image", .f32(batch, height, width, config.channels))
    if config.unshuffle > 1 { x = try b.pixelUnshuffle(x, by: config.unshuffle) }
    let first = try b.conv(x, "conv_first", out: config.width)
    x = first
    for block in 0..<config.blocks {
      let path = "body.\(block)"
      let before = x
      for part in 1...3 { x = try dense(x, "\(path).rdb\(part)", in: &b) }
      x = try residual(x, before, path, in: &b)
    }
    x = try b.graph.add(first, try b.conv(x, "conv_body", out: config.width))
    for index in 0..<config.doublings {
      let size = b.type(x).shape
      x = try b.graph.upsampleNearest(x, height: 2 * size[1], width: 2 * size[2])
      x = try activated(try b.conv(x, "conv_up\(index + 1)", out: config.width), in: &b)
    }
    x = try activated(try b.conv(x, "conv_hr", out: config.width), in: &b)
    x = try b.conv(x, "conv_last", out: config.channels)
    return b.finish(["result": x], &weights)
  }

  /// Five convolutions, each of everything before it.
  private func dense(
    _ x: ValueID, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    var known = [x]
    for layer in 1...5 {
      let input = known.count == 1 ? x : try b.graph.concat(known, axis: 3)
      let y = try b.conv(input, "\(path).conv\(layer)", out: layer < 5 ? config.growth : config.width)
      if layer == 5 { return try residual(y, x, path, in: &b) }
      known.append(try activated(y, in: &b))
    }
    return x
  }

  /// `x + 0.2·y`.
  private func residual(
    _ y: ValueID, _ x: ValueID, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let share = try b.graph.constant(0.2, .f32(1, 1, 1, 1))
    return try b.graph.add(try b.graph.mul(y, share), x, name: path)
  }

  /// `max(x, 0.2·x)`.
  private func activated(_ x: ValueID, in b: inout ModelBuilder) throws(Diagnostic) -> ValueID {
    let slope = try b.graph.constant(0.2, .f32(1, 1, 1, 1))
    return try b.graph.maximum(x, try b.graph.mul(x, slope))
  }
}
