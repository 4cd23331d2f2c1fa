import Foundation
import MoscDiffusion
import MoscDriver
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// Every family of adapters against LyCORIS and PEFT, folded and beside the layers.
@Suite(.serialized) struct AdapterFamilyTests {
  static let lycoris = [
    "locon", "locon_tucker", "locon_root", "loha", "loha_wide", "loha_tucker", "lokr", "lokr_full",
    "lokr_both", "lokr_tucker", "dora_rows", "dora_columns", "dora_loha", "ia3", "ia3_inputs", "full",
    "norms", "oft", "oft_limited", "boft", "boft_rescaled",
  ]
  static let peft = ["peft_lora", "peft_dora", "peft_loha", "peft_lokr", "peft_ia3"]

  private func expected() throws -> SafetensorsFile {
    try SafetensorsFile(Goldens.url("adapters/expected.safetensors"))
  }

  private func model(_ path: String, strength: Float) throws -> ModelOptions {
    var options = ModelOptions(path: GoldenFile.model)
    options.adapters.files = [
      AdapterRequest(path: path, textEncoder: strength, unet: strength)
    ]
    return options
  }

  private func noise(
    _ path: String, strength: Float = 1, isFolded: Bool = true
  ) throws -> [Float] {
    var options = CompilationOptions()
    options.cacheFolder = SharedKernels.folder
    if !isFolded { options.disabledPasses = [PassPipeline.adapterFolding] }
    let components = try ModelComponents(
      try model(path, strength: strength), try Compiler(options, precision: .f32, .silent))
    let file = try expected()
    let results = try RunJob.run(
      .unet,
      [
        "sample": try file.array("x"), "timestep": try file.array("t"),
        "encoder_hidden_states": try file.array("context"),
      ], components)
    return try #require(results["noise_pred"]).floats
  }

  private func path(_ name: String) -> String {
    Goldens.url("adapters/\(name)\(Self.peft.contains(name) ? "" : ".safetensors")").path
  }

  @Test(arguments: lycoris + peft) func family(_ name: String) throws {
    let file = try expected()
    let (wanted, plain) = (try file.array(name).floats, try file.array("base").floats)
    #expect(Comparison.relative(plain, wanted) > 0.02, "the adapter does nothing")
    #expect(Comparison.relative(try noise(path(name)), wanted) < 1e-5)
    #expect(Comparison.relative(try noise(path(name), isFolded: false), wanted) < 1e-5)
  }

  /// Strength 0 is the model itself, and what is added is in proportion to the strength.
  @Test(arguments: ["loha_wide", "dora_rows", "full", "norms", "peft_ia3", "oft"])
  func strengths(_ name: String) throws {
    let plain = try expected().array("base").floats
    #expect(Comparison.relative(try noise(path(name), strength: 0), plain) < 1e-5)
    let model = try ModelComponents.open(try model(path(name), strength: 0.5))
    let whole = try ModelComponents.open(try self.model(path(name), strength: 1))
    let scales = try #require(whole.adapters.adapters.first).changes.sorted { $0.path < $1.path }
    #expect(!scales.isEmpty)
    for id in scales {
      let tensor = AdapterTensor.scale(id).name
      let (half, full) = (model.adapterTensor(tensor)?.floats, whole.adapterTensor(tensor)?.floats)
      #expect(half?.first == full?.first.map { $0 / 2 })
    }
  }

  @Test func countsLayersOfEveryForm() throws {
    func summary(_ name: String) throws -> String? {
      try ModelComponents.open(try model(path(name), strength: 1)).adapters.adapters.first?.summary
    }
    #expect(try summary("full") == "full: applied 3/3 (text 0, unet 3)")
    #expect(try summary("locon") == "locon: applied 6/6 (text 0, unet 6)")
    #expect(try summary("peft_loha") == "peft_loha: applied 3/3 (text 0, unet 3)")
  }

  /// A file that is for another base is refused with the shapes.
  @Test func refusesOtherShapes() throws {
    for (name, ending) in [("lokr_full", "lokr_w1"), ("full", ".diff"), ("ia3", ".weight")] {
      let scratch = Scratch()
      let file = try SafetensorsFile(Goldens.url("adapters/\(name).safetensors"))
      var tensors = try file.entries.map { ($0.name, try file.array($0.name)) }
      let index = try #require(tensors.firstIndex { $0.0.hasSuffix(ending) })
      let shape = tensors[index].1.shape.map { $0 > 1 ? $0 + 1 : 1 }
      let zeros = [Float](repeating: 0, count: shape.reduce(1, *))
      tensors[index].1 = HostArray(zeros, shape: shape)
      let url = scratch.url.appendingPathComponent("other.safetensors")
      try SafetensorsFile.write(tensors, metadata: [:], to: url)
      #expect {
        try ModelComponents.open(try model(url.path, strength: 1))
      } throws: { "\($0)".contains("another base") && "\($0)".contains("other.safetensors") }
    }
  }

  /// The names of latent-diffusion checkpoints, which ComfyUI keeps.
  @Test func originalNames() throws {
    let names = [
      ("down_blocks_0_attentions_0_transformer", "input_blocks_1_1_transformer"),
      ("up_blocks_3_attentions_2_transformer", "output_blocks_11_1_transformer"),
      ("down_blocks_0_resnets_0_conv1", "input_blocks_1_0_in_layers_2"),
      ("down_blocks_0_downsamplers_0_conv", "input_blocks_3_0_op"),
      ("up_blocks_2_upsamplers_0_conv", "output_blocks_8_2_conv"),
      ("mid_block_attentions_0_proj_in", "middle_block_1_proj_in"),
    ]
    let scratch = Scratch()
    for name in ["locon", "lokr"] {
      let file = try SafetensorsFile(Goldens.url("adapters/\(name).safetensors"))
      let tensors = try file.entries.map { entry in
        let new = names.reduce(entry.name) { $0.replacing($1.0, with: $1.1) }
        #expect(new != entry.name)
        return (new, try file.array(entry.name))
      }
      let url = scratch.url.appendingPathComponent("\(name).safetensors")
      try SafetensorsFile.write(tensors, metadata: [:], to: url)
      #expect(Comparison.relative(try noise(url.path), try expected().array(name).floats) < 1e-5)
      // Both names of a layer in one file would count it twice.
      let all = try tensors + file.entries.map { ($0.name, try file.array($0.name)) }
      try SafetensorsFile.write(all, metadata: [:], to: url)
      #expect(throws: FormatError.self) { try ModelComponents.open(try model(url.path, strength: 1)) }
    }
  }

  /// Tags name files without their ending, and the folders that PEFT writes.
  @Test func tagsNameFoldersToo() throws {
    var options = ModelOptions(path: GoldenFile.model)
    options.adapters.folder = Goldens.url("adapters").path
    for name in ["peft_dora", "full"] {
      let tag = LoraTag(name: name, textEncoder: 1, unet: 1)
      let adapters = try ModelComponents.open(options, tags: [tag]).adapters.adapters
      #expect(adapters.map(\.summary) == ["\(name): applied 3/3 (text 0, unet 3)"])
    }
    #expect(throws: CommandError.self) {
      try ModelComponents.open(options, tags: [LoraTag(name: "peft", textEncoder: 1, unet: 1)])
    }
  }
}
