import Foundation
import MoscFormats
import MoscIR
import MoscModel
import TestSupport
import Testing

/// What networks ask of their weights files, and the types of their functions.
@Suite struct NetworkTests {
  static let sd15UNet = """
    {"_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": 8,
     "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": false,
     "cross_attention_dim": 768,
     "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
       "CrossAttnDownBlock2D", "DownBlock2D"],
     "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
     "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05,
     "norm_num_groups": 32, "out_channels": 4, "sample_size": 64,
     "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
       "CrossAttnUpBlock2D"]}
    """
  static let sd15VAE = """
    {"_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
     "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D",
       "DownEncoderBlock2D"], "in_channels": 3, "latent_channels": 4, "layers_per_block": 2,
     "norm_num_groups": 32, "out_channels": 3, "sample_size": 512,
     "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
       "UpDecoderBlock2D"]}
    """
  static let sd15Text = """
    {"architectures": ["CLIPTextModel"], "hidden_act": "quick_gelu", "hidden_size": 768,
     "intermediate_size": 3072, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
     "model_type": "clip_text_model", "num_attention_heads": 12, "num_hidden_layers": 12,
     "vocab_size": 49408}
    """

  /// The full U-Net asks for the tensors of the released model: the golden base has the same
  /// blocks, without the one shortcut that its equal widths make superfluous.
  @Test func fullUNetTensors() throws {
    let unet = UNet(try UNetConfig(reader(Self.sd15UNet)))
    var recording = NetworkWeights(recording: "unet")
    let graph = try unet.graph(UNet.Shape(batch: 2, height: 64, width: 64), &recording)
    var names = Set(try goldenBase().files(.unet).tensors().keys)
    names.insert("down_blocks.1.resnets.0.conv_shortcut.weight")
    names.insert("down_blocks.1.resnets.0.conv_shortcut.bias")
    #expect(Set(recording.requests.shapes.keys) == names)
    #expect(recording.requests.shapes.count == 686)
    #expect(recording.requests.parameters == 859_520_964)
    #expect(unet.config.crossAttentionLayers == 16)
    #expect(graph.results.map { graph.type($0) } == [.f32(2, 64, 64, 4)])
    #expect(Verifier.check(Module(graphs: [graph])).isEmpty)
  }

  @Test func fullVAETensors() throws {
    let vae = VAE(try VAEConfig(reader(Self.sd15VAE)))
    var recording = NetworkWeights(recording: "vae")
    let encoder = try vae.encoder(height: 512, width: 768, &recording)
    let decoder = try vae.decoder(height: 64, width: 96, &recording)
    #expect(recording.requests.shapes.count == 248)
    #expect(recording.requests.parameters == 83_653_863)
    #expect(encoder.results.map { encoder.type($0) } == [.f32(1, 64, 96, 8)])
    #expect(decoder.results.map { decoder.type($0) } == [.f32(1, 512, 768, 3)])
    #expect(Verifier.check(Module(graphs: [encoder, decoder])).isEmpty)
  }

  @Test func fullTextEncoderTensors() throws {
    let encoder = TextEncoder(try TextEncoderConfig(reader(Self.sd15Text)))
    var recording = NetworkWeights(recording: "text_encoder")
    let graph = try encoder.graph(TextEncoder.Shape(), &recording)
    #expect(recording.requests.shapes.count == 196)
    #expect(recording.requests.parameters == 123_060_480)
    #expect(graph.results.map { graph.type($0) } == [.f32(1, 77, 768)])
    #expect(Verifier.check(Module(graphs: [graph])).isEmpty)
  }

  /// Odd sizes go up to the size of the skip they meet, and come out as they went in.
  @Test(arguments: [(12, 20), (15, 9), (1, 1), (33, 64)])
  func anyUNetSize(height: Int, width: Int) throws {
    let shape = UNet.Shape(batch: 3, height: height, width: width, tokens: 154)
    let program = try goldenBase().program(.unet(shape))
    let graph = program.function
    #expect(graph.results.map { graph.type($0) } == [.f32(3, height, width, 4)])
    #expect(
      graph.parameters.map { graph.type($0) } == [
        .f32(3, height, width, 4), .f32(3), .f32(3, 154, 64),
      ])
    #expect(graph.parameters.map { graph[$0].rate } == [.step, .step, .prompt])
    #expect(Verifier.check(program.module).isEmpty)
  }

  /// With one prompt per layer, layer l reads slice l: down blocks, mid block, up blocks.
  @Test func layerwiseContexts() throws {
    let shape = UNet.Shape(height: 8, width: 8, isLayerwise: true)
    let program = try goldenBase().program(.unet(shape))
    let graph = program.function
    #expect(graph.type(graph.parameters[2]) == .f32(1, 16, 77, 64))
    var order: [String] = []
    for id in graph.order {
      guard case .slice(let slice) = graph[id].op else { continue }
      #expect(slice.axis == 1 && slice.from == order.count && slice.to == slice.from + 1)
      let name = "encoder_hidden_states.layer\(order.count)"
      let states = try #require(graph.value(named: name))
      let users = graph.order.filter { graph[$0].operands.first == states }
      order.append(graph[graph[try #require(users.first)].results[0]].name)
    }
    #expect(order.count == 16)
    #expect(order[1] == "down_blocks.0.attentions.1.transformer_blocks.0.attn2.to_k")
    #expect(order[6] == "mid_block.attentions.0.transformer_blocks.0.attn2.to_k")
    #expect(order[7] == "up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k")
    #expect(order[15] == "up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_k")
    #expect(Verifier.check(program.module).isEmpty)
  }

  /// Half-precision weights come in as they are and are widened by a cast.
  @Test func embeddedModel() throws {
    let model = try DiffusersModel.embedded()
    let functions: [ModelFunction] = [
      .textEncoder(TextEncoder.Shape(batch: 2)),
      .unet(UNet.Shape(batch: 2, height: 16, width: 24)),
      .vaeEncoder(batch: 1, height: 64, width: 96), .vaeDecoder(batch: 1, height: 16, width: 24),
    ]
    let results: [TensorType] = [
      .f32(2, 77, 128), .f32(2, 16, 24, 4), .f32(1, 16, 24, 8), .f32(1, 64, 96, 3),
    ]
    for (function, type) in zip(functions, results) {
      let program = try model.program(function)
      let graph = program.function
      #expect(graph.results.map { graph.type($0) } == [type])
      #expect(Verifier.check(program.module).isEmpty)
      for id in graph.order {
        guard case .param(let param) = graph[id].op else { continue }
        #expect(param.type.dtype == .f16)
        #expect(program.file(param.source)?.weight(param.name) != nil)
      }
    }
    #expect(try model.vae().config.downsampling == 4)
    #expect(try model.layout.schedulerConfig() != nil)
  }

  @Test(arguments: [(0, 8, 8), (1, -1, 8), (1, 8, 0), (1 << 40, 1 << 40, 1 << 40)])
  func impossibleSizes(batch: Int, height: Int, width: Int) throws {
    let model = try goldenBase()
    let functions: [ModelFunction] = [
      .unet(UNet.Shape(batch: batch, height: height, width: width)),
      .vaeEncoder(batch: batch, height: height, width: width),
      .vaeDecoder(batch: batch, height: height, width: width),
    ]
    for function in functions {
      #expect(message { _ = try model.program(function) }.contains("[model.size]"))
    }
    let small = message { _ = try model.program(.vaeEncoder(batch: 1, height: 7, width: 8)) }
    #expect(small.contains("images of 8×7 pixels, expected at least 8×8"))
    let long = message {
      _ = try model.program(.textEncoder(TextEncoder.Shape(tokens: 78)))
    }
    #expect(long.contains("78 tokens, but the text encoder has 77 positions"))
  }

  /// Skipping layers stops earlier but still ends with the final norm.
  @Test func clipSkip() throws {
    let model = try goldenBase()
    let full = try model.program(.textEncoder(TextEncoder.Shape())).function
    let short = try model.program(.textEncoder(TextEncoder.Shape(skippedLayers: 1))).function
    #expect(full.value(named: "text_model.encoder.layers.1") != nil)
    #expect(short.value(named: "text_model.encoder.layers.1") == nil)
    #expect(short[short.results[0]].name == "text_model.final_layer_norm")
    let text = message {
      _ = try model.program(.textEncoder(TextEncoder.Shape(skippedLayers: 3)))
    }
    #expect(text.contains("cannot skip 3 of the text encoder's 2 layers"))
  }
}
