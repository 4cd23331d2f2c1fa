import MoscIR
import MoscModel
import Testing

/// What configs are accepted, and how the others are refused.
@Suite struct ConfigTests {
  /// A small U-Net config with fields replaced or added.
  private func unet(_ changes: [String: String] = [:]) throws -> UNetConfig {
    var fields = [
      "block_out_channels": "[8, 16]", "attention_head_dim": "2", "cross_attention_dim": "12",
      "down_block_types": "[\"CrossAttnDownBlock2D\", \"DownBlock2D\"]",
      "up_block_types": "[\"UpBlock2D\", \"CrossAttnUpBlock2D\"]", "norm_num_groups": "4",
    ]
    for (key, value) in changes { fields[key] = value.isEmpty ? nil : value }
    return try UNetConfig(reader(json(fields), file: "unet/config.json"))
  }

  private func vae(_ changes: [String: String] = [:]) throws -> VAEConfig {
    var fields = [
      "block_out_channels": "[8, 16]", "norm_num_groups": "4",
      "down_block_types": "[\"DownEncoderBlock2D\", \"DownEncoderBlock2D\"]",
      "up_block_types": "[\"UpDecoderBlock2D\", \"UpDecoderBlock2D\"]",
    ]
    for (key, value) in changes { fields[key] = value.isEmpty ? nil : value }
    return try VAEConfig(reader(json(fields), file: "vae/config.json"))
  }

  private func json(_ fields: [String: String]) -> String {
    "{" + fields.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
  }

  @Test(arguments: [
    ("act_fn", "\"gelu\"", "expected \"silu\" or \"swish\""),
    ("class_embed_type", "\"timestep\"", "expected null"),
    ("num_class_embeds", "10", "expected null"),
    ("only_cross_attention", "true", "expected false"),
    ("only_cross_attention", "[true, false]", "expected false"),
    ("dual_cross_attention", "true", "expected false"),
    ("resnet_time_scale_shift", "\"scale_shift\"", "expected \"default\""),
    ("addition_embed_type", "\"text_time\"", "expected null"),
    ("encoder_hid_dim_type", "\"text_proj\"", "expected null"),
    ("time_embedding_type", "\"fourier\"", "expected \"positional\""),
    ("attention_type", "\"gated\"", "expected \"default\""),
    ("num_attention_heads", "4", "expected null"),
    ("center_input_sample", "true", "expected false"),
    ("mid_block_scale_factor", "2", "expected 1"),
    ("mid_block_type", "\"UNetMidBlock2DSimpleCrossAttn\"", "\"UNetMidBlock2DCrossAttn\" or null"),
    ("downsample_padding", "0", "expected 1"),
    ("down_block_types", "[\"SimpleCrossAttnDownBlock2D\", \"DownBlock2D\"]", "DownBlock2D"),
    ("down_block_types", "[\"DownBlock2D\"]", "a list of 2 block types"),
    ("block_out_channels", "[8, 0]", "positive integer"),
    ("block_out_channels", "[8, 1e30]", "positive integer"),
    ("block_out_channels", "\"wide\"", "positive integer"),
    ("attention_head_dim", "[2, 2, 2]", "2 numbers"),
    ("attention_head_dim", "3", "divides 8 channels"),
    ("norm_num_groups", "5", "a divisor of the 8 channels"),
    ("norm_num_groups", "null", "a positive integer"),
    ("cross_attention_dim", "[12, 13]", "one width for all levels"),
    ("layers_per_block", "-1", "a positive integer"),
    ("layers_per_block", "1000000", "a positive integer up to 64"),
    ("conv_in_kernel", "4", "an odd size"),
    ("norm_eps", "\"small\"", "a number"),
    ("flip_sin_to_cos", "1", "true or false"),
    ("_class_name", "\"UNet2DModel\"", "expected \"UNet2DConditionModel\""),
  ])
  func unsupportedUNet(key: String, value: String, expected: String) {
    let text = message { _ = try unet([key: value]) }
    #expect(text.contains("unet/config.json: key '\(key)' is"))
    #expect(text.contains(expected))
  }

  @Test(arguments: ["block_out_channels", "down_block_types", "up_block_types"])
  func missingKey(key: String) {
    let text = message { _ = try unet([key: ""]) }
    #expect(text.contains("unet/config.json: key '\(key)' is missing"))
  }

  @Test(arguments: [
    ("act_fn", "\"relu\"", "expected \"silu\""), ("shift_factor", "0.1", "expected null or 0"),
    ("latents_mean", "[0, 0]", "expected null"), ("scaling_factor", "0", "a positive number"),
    ("norm_num_groups", "16", "a divisor of the 8 channels"),
    ("up_block_types", "[\"UpDecoderBlock2D\", \"AttnUpDecoderBlock2D\"]", "UpDecoderBlock2D"),
    ("use_quant_conv", "0", "true or false"),
  ])
  func unsupportedVAE(key: String, value: String, expected: String) {
    let text = message { _ = try vae([key: value]) }
    #expect(text.contains("vae/config.json: key '\(key)' is"))
    #expect(text.contains(expected))
  }

  @Test func unsupportedTextEncoder() {
    let gelu = message { _ = try TextEncoderConfig(reader(#"{"hidden_act": "gelu_new"}"#)) }
    #expect(gelu.contains("key 'hidden_act' is \"gelu_new\", expected \"gelu\" or \"quick_gelu\""))
    let heads = message { _ = try TextEncoderConfig(reader(#"{"num_attention_heads": 7}"#)) }
    #expect(heads.contains("key 'num_attention_heads' is 7, expected a divisor of hidden_size 512"))
    let type = message { _ = try TextEncoderConfig(reader(#"{"model_type": "t5"}"#)) }
    #expect(type.contains("expected \"clip_text_model\""))
  }

  /// Numbers and lists per level, and variants that change nothing here.
  @Test func acceptedVariants() throws {
    let config = try unet([
      "attention_head_dim": "[2, 4]", "layers_per_block": "[1, 2]", "norm_eps": "1",
      "transformer_layers_per_block": "[3, 1]", "use_linear_projection": "true",
      "upcast_attention": "true", "mid_block_scale_factor": "1.0", "sample_size": "[24, 24]",
      "freq_shift": "1", "flip_sin_to_cos": "false", "decay": "0.9999",
    ])
    #expect(config.heads == [2, 4])
    #expect(config.usesLinearProjection && !config.flipSinToCos)
    #expect(config.frequencyShift == 1 && config.sampleSize == 24 && config.eps == 1)
    // Down: 1·3, mid: 1, up: (1 + 1)·3.
    #expect(config.crossAttentionLayers == 10)
    #expect(config.ignoredKeys == ["decay"])
    #expect(try unet(["mid_block_type": "null"]).crossAttentionLayers == 5)
    #expect(try vae(["mid_block_add_attention": "false"]).downsampling == 2)
  }

  /// Every switch of the config reaches the graph.
  @Test func variantsChangeTheGraph() throws {
    func names(_ changes: [String: String]) throws -> [String: [Int]] {
      var recording = NetworkWeights(recording: "unet")
      let shape = UNet.Shape(height: 4, width: 4, isLayerwise: true)
      let graph = try UNet(try unet(changes)).graph(shape, &recording)
      #expect(Verifier.check(Module(graphs: [graph])).isEmpty)
      return recording.requests.shapes
    }
    let path = "down_blocks.0.attentions.0"
    let plain = try names([:])
    #expect(plain["\(path).proj_in.weight"] == [8, 8, 1, 1])
    #expect(plain["mid_block.resnets.0.norm1.weight"] == [16])
    #expect(try names(["use_linear_projection": "true"])["\(path).proj_in.weight"] == [8, 8])
    #expect(try names(["mid_block_type": "null"])["mid_block.resnets.0.norm1.weight"] == nil)
    let deep = try names(["transformer_layers_per_block": "2", "layers_per_block": "1"])
    #expect(deep["\(path).transformer_blocks.1.attn2.to_k.weight"] == [8, 12])
    #expect(deep["down_blocks.0.resnets.1.conv1.weight"] == nil)
    #expect(try names(["conv_in_kernel": "5"])["conv_in.weight"] == [8, 4, 5, 5])

    var recording = NetworkWeights(recording: "vae")
    let bare = VAE(
      try vae([
        "mid_block_add_attention": "false", "use_quant_conv": "false",
        "use_post_quant_conv": "false",
      ]))
    _ = try bare.encoder(height: 8, width: 8, &recording)
    _ = try bare.decoder(height: 4, width: 4, &recording)
    let unwanted = recording.requests.shapes.keys.filter { $0.contains("attn") || $0.contains("quant") }
    #expect(unwanted.isEmpty)
  }
}
