import Foundation
import MoscFormats
import TestSupport
import Testing

/// Names, scales and kinds of adapter files, on files that are made here.
@Suite struct AdapterReadingTests {
  typealias Tensors = [(String, HostArray)]
  private static let layer = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
  private static let textLayer = "encoder.layers.1.mlp.fc1"

  private static func zeros(_ shape: Int...) -> HostArray {
    HostArray([Float](repeating: 0.5, count: shape.reduce(1, *)), shape: shape)
  }

  private static func pair(
    _ stem: String, rank: Int = 4, _ down: String = "lora_A", _ up: String = "lora_B"
  ) -> Tensors {
    [("\(stem).\(down).weight", zeros(rank, 8)), ("\(stem).\(up).weight", zeros(8, rank))]
  }

  private func read(
    _ tensors: Tensors, _ metadata: [String: String] = [:], config: String? = nil,
    name: String = "a.safetensors"
  ) throws -> AdapterFile {
    let scratch = Scratch()
    let url = scratch.url.appendingPathComponent(name)
    try SafetensorsFile.write(tensors, metadata: metadata, to: url)
    if let config { try scratch.write("adapter_config.json", config) }
    return try AdapterFile(url)
  }

  private func expectRefusal(
    _ words: String..., from body: () throws -> AdapterFile
  ) {
    #expect { try body() } throws: { error in
      words.allSatisfy { "\(error)".contains($0) }
    }
  }

  private func metadata(_ json: String) -> [String: String] { ["lora_adapter_metadata": json] }

  // MARK: Scales

  /// Alpha over the rank, or over its root; patterns are PEFT's: the end of a name, from a point on.
  @Test(arguments: [
    (#"{"unet.r": 4, "unet.lora_alpha": 8}"#, 2),
    (#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.use_rslora": true}"#, 4),
    (#"{"unet.r": 9, "unet.lora_alpha": 8, "unet.rank_pattern": {"to_q": 4}}"#, 2),
    (#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.alpha_pattern": {"attn1.to_q": 1}}"#, 0.25),
    (#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.alpha_pattern": {"q": 1, "to_k": 3}}"#, 2),
    (#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.alpha_pattern": {"mid.*to_q": 2}}"#, 0.5),
    (#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.alpha_pattern": {"^attn1.to_q": 2}}"#, 2),
    (
      #"{"unet.r": 9, "unet.lora_alpha": 8, "unet.use_rslora": true, "unet.rank_pattern": {"attn1\\.to_q": 4}}"#,
      4
    ),
    (#"{"text_encoder.r": 4, "text_encoder.lora_alpha": 8}"#, 1),
    (#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.some_new_key": null, "unet.other": {}}"#, 2),
  ] as [(String, Float)])
  func scaleOfMetadata(_ json: String, _ scale: Float) throws {
    let file = try read(Self.pair("unet.\(Self.layer)"), metadata(json))
    #expect(file.layers.map(\.scale) == [scale])
    #expect(file.leftovers.isEmpty)
  }

  @Test(arguments: [
    (#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.use_qalora": true}"#, "use_qalora"),
    (#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.scaling_rule": "new"}"#, "scaling_rule"),
    (#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.fan_in_fan_out": true}"#, "fan_in_fan_out"),
    (#"{"unet.r": 4, "unet.lora_alpha": 8, "unet.init_lora_weights": "pissa"}"#, "init_lora_weights"),
    (#"{"unet.r": 8, "unet.lora_alpha": 8}"#, "rank 8"),
    (#"{"unet.r": 4, "unet.alpha_pattern": {"(a+)+$": 8}, "unet.lora_alpha": 1}"#, "(a+)+$"),
    (#"{"unet.r": 4, "unet.alpha_pattern": {"to_q": "x"}, "unet.lora_alpha": 1}"#, "alpha_pattern"),
    (#"{"unet.peft_type": "VERA", "unet.r": 4}"#, "VERA"), (#"[1]"#, "array"), (#"{"unet.r": "#, "JSON"),
  ])
  func refusesScalesThatItDoesNotKnow(_ json: String, _ word: String) {
    expectRefusal(word, "a.safetensors") { try read(Self.pair("unet.\(Self.layer)"), metadata(json)) }
  }

  /// PEFT's own files have their alpha beside them.
  @Test func configurationBesideTheFile() throws {
    let tensors = Self.pair("base_model.model.\(Self.layer)")
    let config = #"{"peft_type": "LORA", "r": 4, "lora_alpha": 2}"#
    let file = try read(tensors, config: config)
    #expect(file.layers.map(\.scale) == [0.5])
    expectRefusal("adapter_config.json", "PEFT") { try read(tensors) }
    expectRefusal("adapter_config.json", "beta") {
      try read(tensors, config: #"{"r": 4, "lora_alpha": 2, "beta": 0.1}"#)
    }
    let text = Self.pair("base_model.model.\(Self.textLayer)")
      + Self.pair("base_model.model.text_model.encoder.layers.0.mlp.fc2")
    let both = try read(text, config: config)
    #expect(both.layers.map(\.network) == [.textEncoder, .textEncoder])
    #expect(both.layers[0].key == "text_model_encoder_layers_1_mlp_fc1")
  }

  @Test func folders() throws {
    let scratch = Scratch()
    let folder = scratch.url.appendingPathComponent("my-style")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    expectRefusal("adapter_model.safetensors", "my-style") { try AdapterFile(folder) }
    let file = folder.appendingPathComponent("pytorch_lora_weights.safetensors")
    try SafetensorsFile.write(Self.pair("unet.\(Self.layer)"), metadata: [:], to: file)
    let read = try AdapterFile(folder)
    #expect(read.layers.count == 1 && read.name == "my-style")
  }

  /// Alphas of any type count, and with them the scale.
  @Test(arguments: [
    HostArray([Int64(2)], shape: []), HostArray([2.0], shape: [1]),
    HostArray(dtype: .i32, shape: [], bytes: [2, 0, 0, 0]),
    HostArray(dtype: .u8, shape: [1], bytes: [2]), HostArray(dtype: .f16, shape: [], bytes: [0, 0x40]),
  ])
  func alphasOfAnyType(_ alpha: HostArray) throws {
    let stem = "lora_unet_\(Self.layer.replacing(".", with: "_"))"
    let file = try read(
      Self.pair(stem, "lora_down", "lora_up") + [("\(stem).alpha", alpha)])
    #expect(file.layers.map(\.scale) == [0.5])
    #expect(file.leftovers.isEmpty)
  }

  @Test func refusesAlphasThatAreNone() {
    let stem = "lora_unet_conv_in"
    for bad in [HostArray([Float.nan], shape: []), HostArray([Float(1), 2], shape: [2])] {
      expectRefusal("alpha") {
        try read(Self.pair(stem, "lora_down", "lora_up") + [("\(stem).alpha", bad)])
      }
    }
  }

  /// A layer is read whole or not at all, so that nothing of it is dropped unseen.
  @Test(arguments: ["lora_B.bias", "lora_down.magic", "oft_R.weight", "lora_C.weight"])
  func leavesOutWholeLayers(_ part: String) throws {
    let (stem, other) = ("unet.\(Self.layer)", "unet.conv_in")
    let file = try read(Self.pair(stem) + [("\(stem).\(part)", Self.zeros(8))] + Self.pair(other))
    #expect(file.layers.map(\.key) == ["conv_in"])
    #expect(file.leftovers.count == 3)
    #expect(file.leftovers.allSatisfy { $0.name.hasPrefix(stem) && !$0.reason.isEmpty })
  }

  // MARK: Names

  @Test(arguments: [
    ("unet.\(layer)", "mid_block_attentions_0_transformer_blocks_0_attn1_to_q"),
    ("lycoris_mid_block_attentions_0_proj_in", "mid_block_attentions_0_proj_in"),
    ("text_encoder.\(textLayer)", "text_model_encoder_layers_1_mlp_fc1"),
    ("text_encoder.text_model.\(textLayer)", "text_model_encoder_layers_1_mlp_fc1"),
    ("lora_te_encoder_layers_1_mlp_fc1", "text_model_encoder_layers_1_mlp_fc1"),
    ("lora_te1_text_model_encoder_layers_1_mlp_fc1", "text_model_encoder_layers_1_mlp_fc1"),
    ("text_encoder.encoder.layers.0.self_attn.to_out", "text_model_encoder_layers_0_self_attn_out_proj"),
    ("up_blocks.1.attentions.0.processor.to_out", "up_blocks_1_attentions_0_to_out_0"),
    ("diffusion_model.input_blocks.4.1.proj_in", "input_blocks_4_1_proj_in"),
    ("clip_l.transformer.text_model.encoder.layers.1.mlp.fc1", "text_model_encoder_layers_1_mlp_fc1"),
  ])
  func layers(_ stem: String, _ key: String) throws {
    let file = try read(Self.pair(stem))
    #expect(file.layers.map(\.key) == [key])
    #expect(file.leftovers.isEmpty)
  }

  /// The same layer under two names would count twice.
  @Test func refusesALayerThatIsThereTwice() {
    expectRefusal("twice") {
      try read(
        Self.pair("text_encoder.\(Self.textLayer)") + Self.pair("text_encoder.text_model.\(Self.textLayer)"))
    }
  }

  /// Rows of a bundled embedding follow one another; only Mix-of-Show's and this program's are for layers.
  @Test func wordsOfOtherPrograms() throws {
    let rows = Self.zeros(16, 8)
    let file = try read(
      Self.pair("unet.conv_in") + [
        ("bundle_emb.my.cat.clip_l", rows), ("bundle_emb.dog.string_to_param.*", Self.zeros(2, 8)),
        ("bundle_emb.xl.clip_g", Self.zeros(1, 8)), ("mosc.edlora.<fox>", rows),
        ("bundle_emb.<fox>.string_to_param.*", Self.zeros(1, 8)),
      ])
    #expect(Set(file.words.map(\.text)) == ["my.cat", "dog", "<fox>"])
    for word in file.words { #expect(word.isLayerwise == (word.text == "<fox>")) }
    #expect(file.leftovers.map(\.name) == ["bundle_emb.xl.clip_g"])
    let cat = ConceptWord("cat", tokenNames: ["<a>", "<b>"], tokenIDs: [1, 2], isLayerwise: false)
    #expect(cat.tokenName(layer: 1) == "<a> <b>")
    #expect(ConceptWord("cat", tokenNames: ["<a>", "<b>"], tokenIDs: [1, 2]).tokenName(layer: 1) == "<b>")
  }

  @Test func textualInversion() throws {
    let web = try read([("emb_params", Self.zeros(3, 8))], name: "my-dog.safetensors")
    #expect(web.words.map(\.text) == ["my-dog"] && web.words.map(\.isLayerwise) == [false])
    #expect(web.words.map(\.rows.shape) == [[3, 8]])
    let diffusers = try read([("<cat-toy>", Self.zeros(8))], name: "learned_embeds.safetensors")
    #expect(diffusers.words.map(\.text) == ["<cat-toy>"])
    expectRefusal("Stable Diffusion XL") {
      try read([("clip_l", Self.zeros(1, 8)), ("clip_g", Self.zeros(1, 8))])
    }
  }

  /// Words whose rows follow one another stay such words in our own files.
  @Test func writesSequencesAsSuch() throws {
    let word = AdapterFile.Word(text: "dog", rows: Self.zeros(3, 8), isLayerwise: false)
    let names = ConceptFile.tensors([], [word]).map(\.name)
    #expect(names == ["bundle_emb.dog.string_to_param.*"])
  }

  /// Files that ask for products without end, in a few kilobytes.
  @Test(arguments: ["hada", "lokr", "mid"]) func boundsProducts(_ family: String) throws {
    let (n, stem) = (20_000, "lora_unet_conv_in")
    let tensors: Tensors =
      switch family {
      case "hada":
        [1, 2].flatMap {
          [("\(stem).hada_w\($0)_a", Self.zeros(n, 9)), ("\(stem).hada_w\($0)_b", Self.zeros(9, n))]
        }
      case "lokr":
        [
          ("\(stem).lokr_w1_a", Self.zeros(n, 1)), ("\(stem).lokr_w1_b", Self.zeros(1, n)),
          ("\(stem).lokr_w2", Self.zeros(2, 2)),
        ]
      default:
        [
          ("\(stem).lora_down.weight", Self.zeros(1, n, 1, 1)),
          ("\(stem).lora_mid.weight", Self.zeros(n, 1, 1, 1)),
          ("\(stem).lora_up.weight", Self.zeros(2, n, 1, 1)),
        ]
      }
    if family == "mid" {
      expectRefusal("lora_mid") { try read(tensors) }
      return
    }
    let file = try read(tensors)
    let change = try #require(file.wholeLayers.first).change
    let target = ChangedTensor(part: "weight", shape: [8, 4, 3, 3], path: "a", layer: "conv_in") {
      [Float](repeating: 0, count: 288)
    }
    #expect(throws: FormatError.self) { try change.change(of: target) }
    #expect(throws: FormatError.self) { try change.check(target) }
  }

  // MARK: Foreign files

  @Test(arguments: [
    ("lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", "Stable Diffusion XL"),
    ("lora_unet_double_blocks_0_img_mlp_0.lora_down.weight", "FLUX"),
    ("transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight", "FLUX"),
    ("lora_unet_joint_blocks_0_x_block_attn_qkv.lora_down.weight", "Stable Diffusion 3"),
    ("model.diffusion_model.input_blocks.0.0.weight", "Stable Diffusion 1.x model"),
    ("down_blocks.0.resnets.0.conv1.weight", "a U-Net"),
    ("controlnet_cond_embedding.conv_in.weight", "ControlNet"), ("body.0.block1.weight", "--t2i-adapter"),
    ("image_proj.norm.weight", "IP-Adapter"), ("text_model.final_layer_norm.weight", "text encoder"),
    ("something.else", "no adapter"),
  ])
  func namesForeignFiles(_ name: String, _ word: String) {
    // A second tensor, so that it is no embedding.
    expectRefusal(word, "a.safetensors") { try read([(name, Self.zeros(2, 8)), ("x.y", Self.zeros(2, 2))]) }
  }

  /// Files for Stable Diffusion XL hold layers of the same names and shapes.
  @Test func namesTheBaseByWidthsAndMetadata() throws {
    func layer(_ width: Int) -> Tensors {
      let stem = "lora_unet_down_blocks_1_attn2_to_k"
      return [("\(stem).lora_down.weight", Self.zeros(2, width)), ("\(stem).lora_up.weight", Self.zeros(8, 2))]
    }
    expectRefusal("Stable Diffusion XL") { try read(layer(2048)) }
    for said in ["sdxl_base_v1-0", "flux1"] {
      expectRefusal(said == "flux1" ? "FLUX" : "Stable Diffusion XL") {
        try read(layer(768), ["ss_base_model_version": said])
      }
    }
    expectRefusal("Stable Diffusion XL") {
      try read(layer(768), ["modelspec.architecture": "stable-diffusion-xl-v1-base/lora"])
    }
    #expect(try read(layer(1024)).misfitReason.contains("Stable Diffusion 2.x"))
    #expect(try read(layer(768), ["ss_base_model_version": "sd_v1"]).base == nil)
  }

  @Test(arguments: [
    ("GGUF\u{3}\0\0\0\0\0\0\0", "GGUF"), ("version https://git-lfs.github.com/spec/v1\noid", "git-lfs"),
    ("<!DOCTYPE html>\n<html>", "web page"), ("hello there, this is a note", "a text"), ("{\"a\": 1, }", "JSON"),
    ("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "JSON"), ("PK\u{3}\u{4}aaaaaaaaaaaa", "zip"),
  ])
  func namesOtherFiles(_ content: String, _ word: String) throws {
    let scratch = Scratch()
    let url = try scratch.write("a.safetensors", content)
    #expect { try SafetensorsFile(url) } throws: { error in
      "\(error)".contains(word) && "\(error)".contains("a.safetensors")
    }
  }
}
