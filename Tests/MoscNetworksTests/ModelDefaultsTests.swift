import Foundation
import MoscFormats
import MoscModel
import MoscNetworks
import MoscSample
import RunSupport
import TestSupport
import Testing

/// `mosc.json`, and what tells models apart.
@Suite struct ModelDefaultsTests {
  private let scratch = Scratch()

  private func defaults(_ text: String) throws -> ModelDefaults {
    let file = try scratch.write("mosc.json", text)
    // What makes a folder one of a model.
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent().appending(path: "unet"), withIntermediateDirectories: true)
    return try ModelDefaults(of: DiffusersModel(at: file.deletingLastPathComponent()))
  }

  @Test func readsWhatAModelSays() throws {
    #expect(try ModelDefaults(of: .embedded()) == ModelDefaults.embedded)
    #expect(ModelDefaults.embedded?.guidance == 4 && ModelDefaults.stableDiffusion.guidance == 7)
    let own = try defaults(#"{"guidance": 2.5, "train": {"rank": 3, "unet-lr": 0}}"#)
    #expect(own.guidance == 2.5 && own.training.rank == 3 && own.training.unetRate == 0)
    #expect(own.training.layers == .attention)
    #expect(try defaults(#"{"train": {"layers": "block"}}"#).training.layers == .block)
    #expect(own.fusion.prompts == FusionPrompts() && ModelDefaults.embedded?.fusion.prompts.ofConcepts.count == 8)
    #expect(own.fusion.refineSteps == 0 && ModelDefaults.embedded?.fusion.refineSteps == 80)
    let prompts = try defaults(#"{"fuse": {"prompts": ["<TOK>, at night", "a cat"]}}"#).fusion.prompts
    #expect(prompts.ofConcepts == ["<TOK>, at night"] && prompts.prior == ["a cat"])
    #expect(own.training.steps == ModelDefaults.stableDiffusion.training.steps)
    #expect(try defaults("{}") == .stableDiffusion)
    for (text, expected) in [
      (#"{"guidence": 2}"#, "did you mean 'guidance'?"), (#"{"train": 3}"#, "expected an object"),
      (#"{"fuse": []}"#, "expected an object"), (#"{"fuse": {"prompts": [3]}}"#, "expected a list of texts"),
      (#"{"fuse": {"prompts": ["a <tok>"]}}"#, "'a <tok>': expected no '<' but in <TOK>"),
      (#"{"fuse": {"refine": -1}}"#, "from 0 to 100000, found -1"),
      (#"{"train": {"rank": 0}}"#, "from 1 to 4096, found 0"),
      (#"{"train": {"layers": "all"}}"#, "expected 'attention' or 'block', found \"all\""),
      (#"{"train": {"unet-lr": -1}}"#, "expected 0 or more, found -1.0"),
      (#"{"train": {"unet_lr": 1}}"#, "did you mean 'unet-lr'?"), ("[]", "expected a JSON object"),
    ] {
      let error = #expect(throws: FormatError.self) { try defaults(text) }
      #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
      #expect(error?.description.contains("mosc.json") == true)
    }
  }

  @Test func guidanceIsTheModels() throws {
    var request = SampleRequest()
    request.prompt = "a fox"
    request.output = scratch.path("a.png")
    #expect(try SamplePlan(request).guidance == 4)
    request.model.path = GoldenFile.model
    #expect(try SamplePlan(request).guidance == 7)
    request.guidance = 3
    #expect(try SamplePlan(request).guidance == 3)
  }

  /// One bit anywhere in a part changes the hash of that part, and of no other.
  @Test func contentsAreHashed() throws {
    let folder = scratch.url.appending(path: "model")
    try FileManager.default.copyItem(at: DiffusersModel.embedded().url, to: folder)
    let before = try DiffusersModel(at: folder).contentHashes()
    #expect(try before.map(\.hash) == DiffusersModel.embedded().contentHashes().map(\.hash))
    for (file, part) in [
      ("unet/config.json", "the U-Net"), ("vae/diffusion_pytorch_model.safetensors", "the autoencoder"),
      ("text_encoder/model.safetensors", "the text encoder"), ("tokenizer/merges.txt", "the tokenizer"),
      ("scheduler/scheduler_config.json", "the scheduler"),
    ] {
      let url = folder.appending(path: file)
      let content = try Data(contentsOf: url)
      // A key more, or another last byte: a line feed or the end of a tensor.
      let changed =
        file.hasSuffix("json")
        ? Data("{\"extra\": 1,".utf8) + content.dropFirst()
        : content.dropLast() + [file.hasSuffix("safetensors") ? content[content.count - 1] ^ 1 : 0x20]
      try changed.write(to: url)
      let after = try DiffusersModel(at: folder).contentHashes()
      let parts = zip(before, after).filter { $0.hash != $1.hash }.map(\.0.part)
      #expect(parts == [part], "\(file)")
      try content.write(to: url)
    }
  }
}
