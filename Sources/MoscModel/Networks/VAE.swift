import MoscIR

/// The image autoencoder, in two functions. Source: diffusers `AutoencoderKL`.
///
/// `@vae_encoder(%image f32[n,H,W,3]) -> moments f32[n,h,w,2·c]`: mean, then log-variance, of the
/// latents; images in −1…1. `@vae_decoder(%latents f32[n,h,w,c]) -> image f32[n,H,W,3]`. Both speak
/// of unscaled latents: the denoiser's latents are `scaling_factor` times those, and the caller
/// multiplies or divides. A tiny autoencoder has the same functions (`TinyAutoencoder`).
package struct VAE: Sendable {
  package var config: VAEConfig

  package init(_ config: VAEConfig) { self.config = config }

  /// The IR of the encoder for a batch of images of a size in pixels.
  ///
  /// - Parameter seamless: the directions in which convolutions that keep the size see no edge; those that
  ///   halve it always do.
  /// - Errors: those of `NetworkWeights.weight`; `model.size`.
  package func encoder(
    batch: Int = 1, height: Int, width: Int, seamless: Seamless? = nil, _ weights: inout NetworkWeights
  ) throws(Diagnostic) -> Graph {
    let smallest = config.downsampling
    try expectPositive(("batch", batch), ("height", height), ("width", width))
    guard height >= smallest, width >= smallest else {
      throw Diagnostic(
        "model.size",
        "images of \(width)×\(height) pixels, expected at least \(smallest)×\(smallest)")
    }
    var b = ModelBuilder(ComponentKind.vaeEncoder.rawValue, weights)
    b.seamless = seamless
    let image = b.graph.parameter("image", .f32(batch, height, width, config.inChannels))
    let moments = try encode(image, in: &b)
    return b.finish(["moments": moments], &weights)
  }

  /// Appends the encoder: the moments `[n,h,w,2·c]` of images `[n,H,W,3]`.
  package func encode(
    _ image: ValueID, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    if let tiny = config.tiny {
      return try TinyAutoencoder(config: tiny).encode(
        image, latentChannels: config.latentChannels, in: &b)
    }
    var x = try b.conv(image, "encoder.conv_in", out: config.widths.first ?? 0)
    for (level, out) in config.widths.enumerated() {
      let path = "encoder.down_blocks.\(level)"
      for i in 0..<config.layersPerBlock {
        x = try resnet(out)(x, "\(path).resnets.\(i)", in: &b)
      }
      if level < config.widths.count - 1 {
        x = try b.downsampleAsymmetric(x, "\(path).downsamplers.0")
      }
    }
    x = try mid(x, "encoder.mid_block", in: &b)
    x = try out(x, "encoder", channels: 2 * config.latentChannels, in: &b)
    if config.hasQuantConv {
      x = try b.conv(x, "quant_conv", out: 2 * config.latentChannels, kernel: 1)
    }
    return x
  }

  /// The IR of the decoder for a batch of latents of a size in latent pixels.
  ///
  /// - Errors: those of `NetworkWeights.weight`; `model.size`.
  package func decoder(
    batch: Int = 1, height: Int, width: Int, seamless: Seamless? = nil, _ weights: inout NetworkWeights
  ) throws(Diagnostic) -> Graph {
    try expectPositive(("batch", batch), ("height", height), ("width", width))
    var b = ModelBuilder(ComponentKind.vaeDecoder.rawValue, weights)
    b.seamless = seamless
    let latents = b.graph.parameter("latents", .f32(batch, height, width, config.latentChannels))
    let image = try decode(latents, in: &b)
    return b.finish(["image": image], &weights)
  }

  /// Appends the decoder: images `[n,H,W,3]` of latents `[n,h,w,c]`.
  package func decode(
    _ latents: ValueID, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    if let tiny = config.tiny {
      return try TinyAutoencoder(config: tiny).decode(
        latents, outChannels: config.outChannels, in: &b)
    }
    var x = latents
    if config.hasPostQuantConv {
      x = try b.conv(x, "post_quant_conv", out: config.latentChannels, kernel: 1)
    }
    x = try b.conv(x, "decoder.conv_in", out: config.widths.last ?? 0)
    x = try mid(x, "decoder.mid_block", in: &b)
    for (index, out) in config.widths.reversed().enumerated() {
      let path = "decoder.up_blocks.\(index)"
      for i in 0...config.layersPerBlock {
        x = try resnet(out)(x, "\(path).resnets.\(i)", in: &b)
      }
      if index < config.widths.count - 1 {
        let size = b.type(x).shape
        x = try b.upsample(
          x, height: 2 * size[1], width: 2 * size[2], "\(path).upsamplers.0")
      }
    }
    return try out(x, "decoder", channels: config.outChannels, in: &b)
  }

  private func resnet(_ out: Int) -> ResnetBlock {
    ResnetBlock(out: out, groups: config.groups, eps: VAEConfig.eps)
  }

  private func mid(
    _ x: ValueID, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let width = b.type(x).lastExtent
    var x = try resnet(width)(x, "\(path).resnets.0", in: &b)
    if config.hasMidAttention {
      let attention = PixelAttention(groups: config.groups, eps: VAEConfig.eps)
      x = try attention(x, "\(path).attentions.0", in: &b)
    }
    return try resnet(width)(x, "\(path).resnets.1", in: &b)
  }

  private func out(
    _ x: ValueID, _ path: String, channels: Int, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    var x = try b.groupNorm(
      x, "\(path).conv_norm_out", groups: config.groups, eps: VAEConfig.eps)
    x = try b.graph.silu(x, name: "\(path).conv_act")
    return try b.conv(x, "\(path).conv_out", out: channels)
  }

  /// The names under which older files hold the attention's projections.
  package static let spellings = [
    Spelling.part(".attentions.0.to_q.", stored: ".attentions.0.query."),
    Spelling.part(".attentions.0.to_k.", stored: ".attentions.0.key."),
    Spelling.part(".attentions.0.to_v.", stored: ".attentions.0.value."),
    Spelling.part(".attentions.0.to_out.0.", stored: ".attentions.0.proj_attn."),
  ]
}
