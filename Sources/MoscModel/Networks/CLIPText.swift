import MoscIR

/// CLIP's text tower: token ids to features.
///
/// Function `@clip_text(%input_ids i32[n,t], %ends i32[n]) -> features f32[n,p]`: the state of each text's
/// end token, projected; not yet of unit length. `ends` are rows of all states one after the other: `i·t` plus
/// the place of the end token in text i. Source: Radford et al. 2021; transformers
/// `CLIPTextModelWithProjection`.
package struct CLIPText: Sendable {
  package var encoder: TextEncoder
  /// The length of a feature.
  package var projection: Int

  package init(_ config: CLIPConfig) {
    (encoder, projection) = (TextEncoder(config.text), config.projection)
  }

  /// The name of the function.
  package static let name = "clip_text"

  /// The IR of the tower for a batch of texts.
  ///
  /// - Errors: those of `NetworkWeights.weight`; `model.size`.
  package func graph(batch: Int, _ weights: inout NetworkWeights) throws(Diagnostic) -> Graph {
    var b = ModelBuilder(Self.name, weights)
    let features = try features(batch: batch, in: &b)
    return b.finish(["features": features], &weights)
  }

  /// Appends the tower with its parameters: the features `[n,p]`.
  package func features(batch: Int, in b: inout ModelBuilder) throws(Diagnostic) -> ValueID {
    let states = try encoder.encode(TextEncoder.Shape(batch: batch), in: &b)
    let ends = b.graph.parameter("ends", .i32(batch))
    let rows = try b.graph.reshape(
      states, to: [batch * encoder.config.positions, encoder.config.width])
    let pooled = try b.graph.gather(rows, ids: ends, name: "text_model.pooled")
    return try b.linear(pooled, "text_projection", out: projection, bias: false)
  }
}
