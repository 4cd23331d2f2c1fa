import MoscIR

/// An autoencoder of plain convolutions that is distilled from a large one (TAESD).
///
/// It reads and writes the denoiser's own, scaled latents `z`, and images `x` in −1…1:
/// the encoder is `layers((x + 1) / 2)`, the decoder `2 · layers(3 · tanh(z / 3)) − 1`. A level of the
/// encoder is a 3×3 convolution, of stride 2 after the first, and residual blocks
/// `relu(x + W₃ relu(W₂ relu(W₁ x)))`; a level of the decoder is residual blocks, doubling by nearest
/// neighbour, and a 3×3 convolution. Layers are numbered in one row, in which the decoder's activation
/// and doublings count too. Source: Bohan 2023 (TAESD); diffusers `EncoderTiny`, `DecoderTiny`.
struct TinyAutoencoder {
  let config: TinyAutoencoderConfig

  /// The log-variance of a distribution without width, the least that diffusers lets one have.
  private static let leastLogVariance = -30.0

  /// Appends the encoder: moments `[n,h,w,2·c]` of images `[n,H,W,3]`, the mean with next to no variance.
  func encode(
    _ image: ValueID, latentChannels: Int, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    guard config.hasEncoder else {
      throw Diagnostic(
        "model.encoder",
        "the tiny autoencoder is a decoder alone; give one with an encoder, or both files in one folder")
    }
    let half = try b.graph.constant(0.5, .f32(1, 1, 1, 1))
    var x = try b.graph.mul(image, half)
    x = try b.graph.add(x, half, name: "encoder.scaled")
    var layer = 0
    func path() -> String {
      defer { layer += 1 }
      return "encoder.layers.\(layer)"
    }
    for (level, width) in config.encoderWidths.enumerated() {
      x = try b.conv(x, path(), out: width, stride: level == 0 ? 1 : 2, bias: level == 0)
      for _ in 0..<config.encoderBlocks[level] { x = try block(x, path(), in: &b) }
    }
    let mean = try b.conv(x, path(), out: latentChannels)
    let logVariance = try b.graph.constant(Self.leastLogVariance, b.type(mean))
    return try b.graph.concat([mean, logVariance], axis: 3, name: "moments")
  }

  /// Appends the decoder: images `[n,H,W,3]` of latents `[n,h,w,c]`.
  func decode(
    _ latents: ValueID, outChannels: Int, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    func number(_ value: Double) throws(Diagnostic) -> ValueID {
      try b.graph.constant(value, .f32(1, 1, 1, 1))
    }
    var x = try b.graph.mul(latents, try number(1.0 / 3))
    x = try b.graph.mul(try b.graph.tanh(x), try number(3), name: "decoder.clamped")
    x = try relu(
      try b.conv(x, "decoder.layers.0", out: config.decoderWidths.first ?? 0), "decoder.layers.1", in: &b)
    var layer = 2
    for (level, width) in config.decoderWidths.enumerated() {
      for _ in 0..<config.decoderBlocks[level] {
        x = try block(x, "decoder.layers.\(layer)", in: &b)
        layer += 1
      }
      let isLast = level == config.decoderWidths.count - 1
      if !isLast {
        let size = b.type(x).shape
        x = try b.graph.upsampleNearest(
          x, height: 2 * size[1], width: 2 * size[2], name: "decoder.layers.\(layer)")
        layer += 1
      }
      x = try b.conv(
        x, "decoder.layers.\(layer)", out: isLast ? outChannels : width, bias: isLast)
      layer += 1
    }
    x = try b.graph.mul(x, try number(2))
    return try b.graph.sub(x, try number(1), name: "decoder.scaled")
  }

  /// `relu(x + W₃ relu(W₂ relu(W₁ x)))`, all 3×3.
  private func block(
    _ x: ValueID, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let width = b.type(x).lastExtent
    var h = try relu(try b.conv(x, "\(path).conv.0", out: width), "\(path).conv.1", in: &b)
    h = try relu(try b.conv(h, "\(path).conv.2", out: width), "\(path).conv.3", in: &b)
    h = try b.conv(h, "\(path).conv.4", out: width)
    return try relu(try b.graph.add(h, x), "\(path).fuse", in: &b)
  }

  private func relu(
    _ x: ValueID, _ name: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    try b.graph.maximum(x, try b.graph.constant(0, .f32(1, 1, 1, 1)), name: name)
  }
}
