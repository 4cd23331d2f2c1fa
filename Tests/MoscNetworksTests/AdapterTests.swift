import Foundation
import MoscDriver
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// Adapters of every family against diffusers, folded and beside the layers.
@Suite(.serialized) struct AdapterTests {
  private func golden() throws -> GoldenFile { try GoldenFile("lora_expected.safetensors") }

  private func components(
    _ adapter: URL, _ mode: AdapterOptions.Mode = .fold, strength: Float = 0.8
  ) throws -> ModelComponents {
    var options = CompilationOptions()
    options.cacheFolder = SharedKernels.folder
    if mode == .runtime { options.disabledPasses = [PassPipeline.adapterFolding] }
    var model = ModelOptions(path: GoldenFile.model)
    model.adapters.files = [
      AdapterRequest(path: adapter.path, textEncoder: strength, unet: strength)
    ]
    return try ModelComponents(model, try Compiler(options, precision: .f32, .silent))
  }

  private func noise(_ components: ModelComponents) throws -> [Float] {
    let golden = try golden()
    let results = try RunJob.run(
      .unet,
      [
        "sample": golden["x"], "timestep": golden["t"], "encoder_hidden_states": golden["context"],
      ], components)
    return try #require(results["noise_pred"]).floats
  }

  @Test(arguments: ["kohya", "peft", "processor"]) func family(_ family: String) throws {
    let file = Goldens.url("diffusers/lora_\(family).safetensors")
    let expected = try golden()["y_lora_\(family)_w0.8"].floats
    let folded = try noise(components(file))
    #expect(Comparison.relative(folded, expected) < 6.2e-6)
    #expect(Comparison.relative(try golden()["y_base"].floats, expected) > 0.01)
    let beside = try noise(components(file, .runtime))
    #expect(Comparison.relative(beside, folded) < 1e-5)
    #expect(beside != folded, "both ran the same program")

    let ids = try golden()["ids"]
    let states = try RunJob.run(.textEncoder, ["input_ids": ids], components(file))
    let text = try golden()["text_lora_\(family)_w0.8"].floats
    #expect(Comparison.relative(try #require(states["last_hidden_state"]).floats, text) < 6.2e-6)
  }

  @Test func countsWhatWasApplied() throws {
    func summary(_ path: String) throws -> String? {
      try components(Goldens.url(path)).model.adapters.adapters.first?.summary
    }
    #expect(
      try summary("diffusers/lora_kohya.safetensors")
        == "lora_kohya: applied 204/204 (text 12, unet 192)")
    #expect(
      try summary("mix-of-show/edlora_hina.pth")
        == "edlora_hina: applied 136/136 (text 8, unet 128)")
  }

  /// Both generations of the reference's key names mean the same.
  @Test func olderKeyNames() throws {
    let scratch = Scratch()
    let file = try TorchFile(Goldens.url("mix-of-show/edlora_hina.pth"))
    // Without the container the names of this program's own words do as well.
    let tensors = file.tensors.map { name, tensor in
      let renamed = name.replacing(".lora_down.", with: "_lora.down.")
        .replacing(".lora_up.", with: "_lora.up.")
      return (renamed, tensor.array())
    }
    let url = scratch.url.appendingPathComponent("old.safetensors")
    try SafetensorsFile.write(tensors, metadata: [:], to: url)
    let (old, new) = (try AdapterFile(url), try AdapterFile(file.url))
    #expect(old.leftovers.isEmpty && new.leftovers.isEmpty)
    #expect(old.layers.count == 136)
    #expect(Set(old.layers.map(\.key)) == Set(new.layers.map(\.key)))
    #expect(old.layers.allSatisfy { $0.scale == 1 }, "alpha is the multiplier, not alpha / rank")
    #expect(old.words.map(\.text).sorted() == ["<hina1>", "<hina2>"])
  }

  private func expectFailure(
    _ words: String..., status: MoscReport.ExitStatus = .failure,
    edit: (inout [(String, HostArray)]) -> Void
  ) throws {
    let scratch = Scratch()
    let file = try SafetensorsFile(Goldens.url("diffusers/lora_kohya.safetensors"))
    var tensors = try file.entries.map { ($0.name, try file.array($0.name)) }
    edit(&tensors)
    let url = scratch.url.appendingPathComponent("bad.safetensors")
    try SafetensorsFile.write(tensors, metadata: [:], to: url)
    #expect {
      try components(url)
    } throws: { error in
      let text = String(describing: error)
      return MoscReport.ExitStatus(error) == status && text.contains("bad.safetensors")
        && words.allSatisfy { text.contains($0) }
    }
  }

  @Test func refusesWhatDoesNotFit() throws {
    try expectFailure("lora_unet_mid_blocc", "nearest", status: .strictness) { tensors in
      for index in tensors.indices {
        tensors[index].0 = tensors[index].0.replacing("mid_block", with: "mid_blocc")
      }
    }
    try expectFailure("oft_R", "OFT", status: .strictness) { tensors in
      tensors.append(("lora_unet_conv_in.oft_R.weight", HostArray([Float(1)], shape: [1])))
    }
    try expectFailure("hada_w1_a", "expected at least 2 extents") { tensors in
      tensors.append(("lora_unet_conv_in.hada_w1_a", HostArray([Float(1)], shape: [1])))
    }
    try expectFailure("nan") { tensors in
      let count = tensors[1].1.count
      tensors[1].1 = HostArray([Float](repeating: .nan, count: count), shape: tensors[1].1.shape)
    }
    try expectFailure("another base") { tensors in
      let index = tensors.firstIndex { $0.0.hasSuffix("to_q.lora_down.weight") } ?? 0
      let rank = tensors[index].1.shape[0]
      tensors[index].1 = HostArray([Float](repeating: 0, count: rank * 7), shape: [rank, 7])
    }
    try expectFailure("lora_up is missing", status: .strictness) { tensors in
      tensors.removeAll { $0.0.contains("mid_block") && $0.0.hasSuffix("to_q.lora_up.weight") }
    }
  }
}
