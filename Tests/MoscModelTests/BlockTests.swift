import MoscFormats
import MoscIR
import MoscModel
import TestSupport
import Testing

/// Blocks against the forward half of the recorded gradients (PyTorch with diffusers' and
/// transformers' modules); the evaluator computes in f64, so f32 rounding of the record is all
/// that may differ.
@Suite struct BlockTests {
  let file = try? SafetensorsFile(Goldens.url("diffusers/gradients.safetensors"))

  /// Builds one block and compares its output with the record of its case.
  private func check(
    _ name: String, _ inputs: [String],
    _ build: (inout ModelBuilder, [ValueID]) throws(Diagnostic) -> ValueID
  ) throws {
    let file = try #require(file)
    var b = ModelBuilder(name, weights(file))
    let values = try inputs.map { try file.activation("\(name).in.\($0)") }
    let parameters = zip(inputs, values).map { b.graph.parameter($0, $1.type) }
    b.graph.results = [try build(&b, parameters)]
    #expect(Verifier.check(Module(graphs: [b.graph])).isEmpty)
    let y = try evaluate(b.graph, values, ["golden": file])[0]
    #expect(relativeError(y, try file.activation("\(name).y")) < 2e-6, "\(name)")
  }

  @Test func resnetBlock() throws {
    try check("resnet_block", ["x", "temb"]) { (b, x) throws(Diagnostic) in
      let active = try b.graph.silu(x[1])
      return try ResnetBlock(out: 24, groups: 4, eps: 1e-5)(
        x[0], embedding: active, "resnet_block.w", in: &b)
    }
    try check("resnet_block_vae", ["x"]) { (b, x) throws(Diagnostic) in
      try ResnetBlock(out: 16, groups: 4, eps: 1e-6)(x[0], "resnet_block_vae.w", in: &b)
    }
  }

  @Test func attention() throws {
    try check("self_attention", ["x"]) { (b, x) throws(Diagnostic) in
      try AttentionBlock(heads: 3)(x[0], "self_attention.w", in: &b)
    }
    try check("cross_attention", ["x", "context"]) { (b, x) throws(Diagnostic) in
      try AttentionBlock(heads: 3)(x[0], source: x[1], "cross_attention.w", in: &b)
    }
    try check("vae_attention", ["x"]) { (b, x) throws(Diagnostic) in
      try PixelAttention(groups: 4, eps: 1e-6)(x[0], "vae_attention.w", in: &b)
    }
  }

  @Test func transformer() throws {
    try check("basic_transformer_block", ["x", "context"]) { (b, x) throws(Diagnostic) in
      try TransformerBlock(heads: 3)(x[0], context: x[1], "basic_transformer_block.w", in: &b)
    }
    try check("transformer_2d", ["x", "context"]) { (b, x) throws(Diagnostic) in
      let block = SpatialTransformer(heads: 3, groups: 8, usesLinearProjection: false)
      return try block(x[0], contexts: [x[1]], "transformer_2d.w", in: &b)
    }
  }

  @Test func resampling() throws {
    try check("downsample_unet", ["x"]) { (b, x) throws(Diagnostic) in
      try b.downsample(x[0], "downsample_unet.w")
    }
    try check("downsample_vae", ["x"]) { (b, x) throws(Diagnostic) in
      try b.downsampleAsymmetric(x[0], "downsample_vae.w")
    }
    try check("upsample", ["x"]) { (b, x) throws(Diagnostic) in
      try b.upsample(x[0], height: 12, width: 10, "upsample.w")
    }
  }

  @Test func textEncoder() throws {
    let file = try #require(file)
    let config = try TextEncoderConfig(
      reader(
        """
        {"vocab_size": 50, "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2,
         "num_attention_heads": 3, "max_position_embeddings": 15, "hidden_act": "quick_gelu"}
        """))
    let spelling = Spelling.prefix("text_model.", stored: "clip_text.w.")
    var golden = weights(file, [spelling])
    let graph = try TextEncoder(config).graph(TextEncoder.Shape(batch: 2), &golden)
    let y = try evaluate(graph, [try file.tensor("clip_text.in.ids")], ["golden": file])[0]
    #expect(relativeError(y, try file.tensor("clip_text.y")) < 2e-6)
    #expect(graph.resultNames == ["last_hidden_state"])
  }
}
