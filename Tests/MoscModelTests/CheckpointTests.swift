import Foundation
import MoscFormats
import MoscIR
import MoscModel
import TestSupport
import Testing

/// Models in one file: what they hold, how they are told apart, and the way there and back.
@Suite struct CheckpointTests {
  private let scratch = Scratch()

  private func file(_ name: String) -> URL { scratch.url.appending(path: name) }

  /// The golden model in one file.
  private func written(_ name: String = "model.safetensors") throws -> URL {
    try CheckpointWriter(try goldenBase()).write(to: file(name), as: nil, metadata: [:])
    return file(name)
  }

  private func tensors(_ url: URL) throws -> [(name: String, array: HostArray)] {
    let file = try SafetensorsFile(url)
    return try file.entries.map { ($0.name, try file.array($0.name)) }
  }

  /// Every tensor that networks ask for, bit by bit.
  private func expectEqual(_ a: DiffusersModel, _ b: DiffusersModel) throws {
    for component in DiffusersModel.Component.allCases {
      let (have, want) = (try a.weights(component).all, try b.weights(component).all)
      #expect(have.map(\.name) == want.map(\.name))
      for (x, y) in zip(have, want) {
        #expect(x.stored.dtype == y.stored.dtype)
        #expect(x.stored.bytes.elementsEqual(y.stored.bytes), "\(component) \(x.name)")
      }
    }
  }

  @Test func holdsWhatTheFolderHolds() throws {
    let model = try DiffusersModel(at: try written())
    let folder = try goldenBase()
    try expectEqual(model, folder)
    #expect(try model.unet().config.widths == folder.unet().config.widths)
    #expect(try model.unet().config.heads == folder.unet().config.heads)
    #expect(try model.tokenizer().tokens("a cat") == folder.tokenizer().tokens("a cat"))
    // There and back again.
    let back = DiffusersFolder(url: file("back"))
    try back.writeAllButWeights(of: model)
    for component in DiffusersModel.Component.allCases {
      try back.writeWeights(of: model, component)
    }
    try expectEqual(try DiffusersModel(at: back.url), folder)
  }

  /// The words that a small model was trained on go with it, there and back again.
  @Test func keepsLearntWords() throws {
    let folder = file("small")
    try FileManager.default.copyItem(at: try goldenBase().url, to: folder)
    try #"{"things": ["a fox", "a robot"]}"#.write(
      to: folder.appending(path: "words.json"), atomically: true, encoding: .utf8)
    let model = try DiffusersModel(at: folder)
    try CheckpointWriter(model).write(to: file("small.safetensors"), as: nil, metadata: [:])
    let single = try DiffusersModel(at: file("small.safetensors"))
    let back = DiffusersFolder(url: file("back"))
    try back.writeAllButWeights(of: single)
    for other in [model, single, try DiffusersModel(at: back.url)] {
      let words = try #require(try other.learntWords())
      #expect(words.groups.map(\.name) == ["things"] && words.unknown(in: "a fox, a cat") == ["cat"])
    }
  }

  /// Names that the first release used, written out by hand.
  @Test(arguments: [
    ("time_embedding.linear_2.bias", "time_embed.2.bias"),
    ("down_blocks.0.resnets.1.time_emb_proj.weight", "input_blocks.2.0.emb_layers.1.weight"),
    ("down_blocks.0.downsamplers.0.conv.bias", "input_blocks.3.0.op.bias"),
    (
      "down_blocks.2.attentions.1.transformer_blocks.0.attn2.to_k.weight",
      "input_blocks.8.1.transformer_blocks.0.attn2.to_k.weight"
    ),
    ("down_blocks.3.resnets.0.norm1.weight", "input_blocks.10.0.in_layers.0.weight"),
    ("mid_block.attentions.0.proj_in.weight", "middle_block.1.proj_in.weight"),
    ("mid_block.resnets.1.conv2.bias", "middle_block.2.out_layers.3.bias"),
    ("up_blocks.0.resnets.2.conv_shortcut.weight", "output_blocks.2.0.skip_connection.weight"),
    ("up_blocks.0.upsamplers.0.conv.weight", "output_blocks.2.1.conv.weight"),
    ("up_blocks.1.upsamplers.0.conv.weight", "output_blocks.5.2.conv.weight"),
    ("up_blocks.3.attentions.2.norm.bias", "output_blocks.11.1.norm.bias"),
    ("conv_out.weight", "out.2.weight"),
  ])
  func namesOfTheUNet(_ current: String, _ stored: String) {
    let names = LDMNames.unet(
      layersPerBlock: [2, 2, 2, 2], attention: [true, true, true, false])
    #expect(names.stored(current) == stored)
  }

  @Test(arguments: [
    ("encoder.down_blocks.1.resnets.0.conv_shortcut.weight", "encoder.down.1.block.0.nin_shortcut.weight"),
    ("decoder.up_blocks.0.upsamplers.0.conv.bias", "decoder.up.3.upsample.conv.bias"),
    ("decoder.mid_block.attentions.0.to_out.0.weight", "decoder.mid.attn_1.proj_out.weight"),
    ("encoder.mid_block.resnets.1.norm2.weight", "encoder.mid.block_2.norm2.weight"),
    ("post_quant_conv.weight", "post_quant_conv.weight"),
  ])
  func namesOfTheAutoencoder(_ current: String, _ stored: String) {
    #expect(LDMNames.vae(levels: 4).stored(current) == stored)
  }

  /// Weights of training and buffers beside the model, a `state_dict` wrapper, no module name before
  /// the text encoder's names, positions as floats: all as files of the first months have them.
  @Test func readsOldCheckpoints() throws {
    var entries = try tensors(try written()).map { name, array in
      (name.replacing("transformer.text_model.", with: "transformer."), array)
    }
    entries += [
      ("model_ema.diffusion_modelinput_blocks00weight", HostArray([1] as [Float], shape: [1])),
      ("alphas_cumprod", HostArray([1, 0.5] as [Float], shape: [2])),
      (
        "cond_stage_model.transformer.embeddings.position_ids",
        HostArray((0..<77).map(Float.init), shape: [1, 77])
      ),
    ]
    try TorchFile.write(
      .dictionary([
        ("state_dict", .dictionary(entries.map { ($0.0, .tensor($0.1)) })),
        ("optimizer", .dictionary([("moment", .tensor(HostArray([2] as [Float], shape: [1])))])),
      ]), to: file("old.ckpt"))
    // A torch file has no place for the configurations of a small model.
    let configs = try SafetensorsFile(file("model.safetensors")).metadata
    let model = try DiffusersModel(at: file("old.ckpt"))
    #expect(model.layout.url.lastPathComponent == "old.ckpt")
    #expect(configs["mosc_model"]?.contains("attention_head_dim") == true)
    #expect(try model.unet().config.widths == goldenBase().unet().config.widths)
    let text = try model.weights(.textEncoder)
    #expect(text.table.unreadByDesign.map(\.name) == ["text_model.embeddings.position_ids"])
    let folder = try goldenBase().weights(.textEncoder)
    for (have, want) in zip(text.all, folder.all) {
      #expect(ElementType.floats(have.stored.bytes, have.stored.dtype)
        == ElementType.floats(want.stored.bytes, want.stored.dtype))
    }
  }

  @Test func autoencoderFromElsewhere() throws {
    let whole = try written()
    let without = try tensors(whole).filter { !$0.name.hasPrefix("first_stage_model.") }
    let metadata = try SafetensorsFile(whole).metadata
    try SafetensorsFile.write(without, metadata: metadata, to: file("pruned.safetensors"))
    let pruned = try DiffusersModel(at: file("pruned.safetensors"))
    #expect(message { _ = try pruned.weights(.vae) }.contains("no tensor"))
    try SafetensorsFile.write(without, to: file("bare.safetensors"))
    let bare = try DiffusersModel(at: file("bare.safetensors"))
    #expect(message { _ = try bare.vae() }.contains("give one with --vae"))
    // From a folder, whole or the part alone.
    for path in ["mix-of-show/base", "mix-of-show/base/vae"] {
      let model = try DiffusersModel(at: file("bare.safetensors"), vae: Goldens.url(path))
      #expect(try model.weights(.vae).all.count == goldenBase().weights(.vae).all.count)
    }
    // From a file with or without the prefix of the part, with the loss of its training.
    let own = try tensors(whole).filter { $0.name.hasPrefix("first_stage_model.") }
    try SafetensorsFile.write(own, metadata: metadata, to: file("vae1.safetensors"))
    let bareNames = own.map { (name: String($0.name.dropFirst("first_stage_model.".count)), array: $0.array) }
    try SafetensorsFile.write(
      bareNames + [("loss.logvar", HostArray([0] as [Float], shape: [1]))],
      metadata: metadata, to: file("vae2.safetensors"))
    for name in ["vae1.safetensors", "vae2.safetensors"] {
      let model = try DiffusersModel(at: file("bare.safetensors"), vae: file(name))
      #expect(try model.vae().config.widths == goldenBase().vae().config.widths)
      #expect(try model.weights(.vae).all.count == goldenBase().weights(.vae).all.count)
    }
    #expect(
      message { _ = try DiffusersModel(at: whole, vae: Goldens.url("diffusers/lora_kohya.safetensors")) }
        .contains("is a LoRA or another adapter, expected an autoencoder"))
  }

  @Test func readsEightBitFloats() throws {
    // 1.5 and -448 in e4m3, 1.5 and the least subnormal in e5m2.
    try SafetensorsFile.write(
      [
        ("a", HostArray(dtype: .f8e4m3, shape: [3], bytes: [0x3c, 0xfe, 0x01])),
        ("b", HostArray(dtype: .f8e5m2, shape: [2], bytes: [0x3e, 0x01])),
        ("c", HostArray([2] as [Float], shape: [1])),
      ], to: file("small.safetensors"))
    let source = try WeightFile.open(file("small.safetensors"))
    func values(_ name: String) throws -> [Float] {
      let tensor = try #require(source.weight(name))
      return ElementType.floats(tensor.bytes, tensor.dtype)
    }
    #expect(source.weight("a")?.dtype == .f16)
    #expect(try values("a") == [1.5, -448, 0x1p-9])
    #expect(try values("b") == [1.5, 0x1p-16])
    #expect(try values("c") == [2])
  }

  /// What is no model of this kind says what it is, and what to do.
  @Test(arguments: [
    ("conditioner.embedders.1.model.ln_final.bias", "Stable Diffusion XL", "1.x"),
    ("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", "Stable Diffusion 3", "1.x"),
    ("double_blocks.0.img_attn.qkv.weight", "Flux", "1.x"),
    ("cond_stage_model.model.transformer.resblocks.0.ln_1.bias", "2.x", "diffusers layout"),
    ("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", "a LoRA", "--lora"),
    ("control_model.input_blocks.0.0.weight", "a ControlNet", "not a whole model"),
    ("decoder.conv_in.weight", "an autoencoder", "--vae"),
    ("down_blocks.0.resnets.0.conv1.weight", "a U-Net", "folder"),
    ("emb_params", "textual-inversion", "--embd-dir"),
  ])
  func otherFiles(_ name: String, _ what: String, _ advice: String) throws {
    try SafetensorsFile.write(
      [(name, HostArray([0, 0] as [Float], shape: [1, 2]))], to: file("other.safetensors"))
    let text = message { _ = try DiffusersModel(at: file("other.safetensors")) }
    #expect(text.contains("other.safetensors: is "))
    #expect(text.contains(what) && text.contains(advice), "\(text)")
  }

  @Test func hubCache() throws {
    let revision = file("models--a--b/snapshots/0123/unet")
    try FileManager.default.createDirectory(at: revision, withIntermediateDirectories: true)
    #expect(try DiffusersModel(at: file("models--a--b")).url.lastPathComponent == "0123")
    try FileManager.default.createDirectory(
      at: file("models--a--b/snapshots/4567/unet"), withIntermediateDirectories: true)
    #expect(message { _ = try DiffusersModel(at: file("models--a--b")) }.contains("holds 2 revisions"))
    try FileManager.default.createDirectory(
      at: file("models--a--b/refs"), withIntermediateDirectories: true)
    try Data("4567\n".utf8).write(to: file("models--a--b/refs/main"))
    #expect(try DiffusersModel(at: file("models--a--b")).url.lastPathComponent == "4567")
    #expect(message { _ = try ModelHub.resolve("nobody/nothing") }.contains("hf download"))
  }
}
