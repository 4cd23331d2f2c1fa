import MoscIR

/// CLIP's vision tower: pictures to features.
///
/// Function `@clip_vision(%image f32[n,H,W,3]) -> features f32[n,p]`: patches as tokens behind a class token,
/// whose state after the last layer is normed and projected; images as `CLIPPictureConfig` makes them,
/// features not yet of unit length. Source: Radford et al. 2021; transformers `CLIPVisionModelWithProjection`.
package struct CLIPVision: Sendable {
  package var config: CLIPVisionConfig
  /// The length of a feature.
  package var projection: Int

  package init(_ config: CLIPConfig) { (self.config, projection) = (config.vision, config.projection) }

  /// The name of the function.
  package static let name = "clip_vision"

  /// The IR of the tower for a batch of pictures.
  ///
  /// - Errors: those of `NetworkWeights.weight`; `model.size`.
  package func graph(batch: Int, _ weights: inout NetworkWeights) throws(Diagnostic) -> Graph {
    try expectPositive(("batch", batch))
    var b = ModelBuilder(Self.name, weights)
    let image = b.graph.parameter("image", .f32(batch, config.side, config.side, config.channels))
    let features = try features(image, in: &b)
    return b.finish(["features": features], &weights)
  }

  /// Appends the tower: the features `[n,p]` of images `[n,H,W,3]`.
  package func features(_ image: ValueID, in b: inout ModelBuilder) throws(Diagnostic) -> ValueID {
    let root = "vision_model"
    var x = try embed(image, "\(root).embeddings", in: &b)
    // The name is that of the files.
    x = try b.layerNorm(x, "\(root).pre_layrnorm", eps: config.eps)
    let layer = CLIPLayer(innerWidth: config.innerWidth, activation: config.activation, eps: config.eps)
    for number in 0..<config.layers {
      x = try layer(x, "\(root).encoder.layers.\(number)", in: &b) {
        (q, k, v, name, g) throws(Diagnostic) in
        try g.attention(q, keys: k, values: v, heads: config.heads, name: name)
      }
    }
    let token = try b.graph.slice(x, axis: 1, from: 0, to: 1)
    let state = try b.graph.reshape(token, to: [b.type(x).shape[0], config.width])
    let pooled = try b.layerNorm(state, "\(root).post_layernorm", eps: config.eps)
    return try b.linear(pooled, "visual_projection", out: projection, bias: false)
  }

  /// The class token, then a token per patch, each with its position: `[n,H,W,3]` → `[n,1+hw,c]`.
  ///
  /// A convolution whose stride is its kernel reads every pixel once: it is a linear map of patches.
  private func embed(
    _ image: ValueID, _ path: String, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let batch = b.type(image).shape[0]
    let (count, side, width) = (config.patches, config.patch, config.width)
    let split = try b.graph.reshape(image, to: [batch, count, side, count, side, config.channels])
    // The order of a kernel's weights: channel, row, column.
    let turned = try b.graph.transpose(split, axes: [0, 1, 3, 5, 2, 4])
    let inputs = config.channels * side * side
    let patches = try b.graph.reshape(turned, to: [batch, count * count, inputs])
    let kernel = try b.weight(
      "\(path).patch_embedding.weight", width, config.channels, side, side)
    let tokens = try b.graph.linear(
      patches, weight: try b.graph.reshape(kernel, to: [width, inputs]),
      name: "\(path).patch_embedding")
    let own = try b.weight("\(path).class_embedding", width)
    let classes = try b.graph.broadcast(
      try b.graph.reshape(own, to: [1, 1, width]), to: [batch, 1, width])
    let positions = try b.weight("\(path).position_embedding.weight", 1 + count * count, width)
    return try b.graph.add(
      try b.graph.concat([classes, tokens], axis: 1),
      try b.graph.reshape(positions, to: [1, 1 + count * count, width]), name: path)
  }
}
