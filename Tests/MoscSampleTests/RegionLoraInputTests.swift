import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// How adapters of regions are asked for, and what is wrong with some.
@Suite(.serialized) struct RegionLoraInputTests {
  private let scratch = Scratch()
  private static func lora(_ name: String) -> String { RegionLoraRun.url("\(name).safetensors").path }

  private func request(_ regions: [String]) -> SampleRequest {
    var request = SampleRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.model.adapters.folder = RegionLoraRun.url("").path
    request.compiler.cacheFolder = SharedKernels.folder
    (request.prompt, request.steps, request.width, request.height) = ("a lake", 1, 64, 64)
    request.regions.texts = regions
    request.output = scratch.path("picture.png")
    return request
  }

  /// One strength is both, two are text encoder and U-Net; files, names and tags mean the same.
  @Test func spellings() throws {
    let ember = Self.lora("ember")
    let spelled = [
      "box=0,0,0.5,1; prompt=a fox; lora=\(ember):0.8; lora=\(Self.lora("moss")):0.5:0.7",
      "box=0,0,0.5,1; prompt=a fox <lora:ember:0.8><lora:moss:0.5:0.7>",
      "box=0,0,0.5,1; prompt=a fox; lora=ember:0.8; lora=moss:0.5:0.7",
    ]
    for text in spelled {
      let plan = try SamplePlan(request([text]))
      let found = plan.regionAdapters.map { $0.map { [$0.textEncoder, $0.unet] } }
      #expect(found == [[[0.8, 0.8], [0.5, 0.7]]])
      #expect(plan.regionAdapters[0].map { URL(fileURLWithPath: $0.path).lastPathComponent }
        == ["ember.safetensors", "moss.safetensors"])
      #expect(plan.regions[0].prompt.trimmingCharacters(in: .whitespaces) == "a fox")
      #expect(plan.model.adapters.adapters.isEmpty)
      #expect(plan.model.regional?.carried == [[0, 1]])
    }
    // In a scene file, relative to its folder.
    try FileManager.default.copyItem(
      atPath: ember, toPath: scratch.path("own.safetensors"))
    try scratch.write(
      "scene.json",
      """
      [{"box": [0, 0, 0.5, 1], "prompt": "a fox", "lora": "own.safetensors:0.25"},
       {"box": [0.5, 0, 1, 1], "prompt": "an owl", "lora": ["own.safetensors:0.25", "moss"]}]
      """)
    var scene = request([])
    scene.regions.scene = scratch.path("scene.json")
    let plan = try SamplePlan(scene)
    #expect(plan.model.regional?.carried == [[0], [0, 1]])
    #expect(plan.regionAdapters[1].map(\.unet) == [0.25, 1])
  }

  /// A tag in the common part is for the whole picture, one in a cell for its region.
  @Test func promptsThatDivideThePicture() throws {
    var request = request([])
    request.prompt = "fog <lora:dusk_text:0.5> ADDCOMM a fox <lora:ember:0.8> ADDCOL an owl <lora:moss>"
    let plan = try SamplePlan(request)
    #expect(plan.model.adapters.adapters.map(\.name) == ["dusk_text"])
    #expect(plan.regionAdapters.map { $0.map { URL(fileURLWithPath: $0.path).lastPathComponent } }
      == [["ember.safetensors"], ["moss.safetensors"]])
    #expect(plan.regions.allSatisfy { !$0.prompt.contains("<") })
  }

  struct Fault: Sendable, CustomTestStringConvertible {
    var regions: [String]
    var expected: [String]
    var global = false
    var testDescription: String { expected[0] }
  }

  static var faults: [Fault] {
    let (ember, moss) = (lora("ember"), lora("moss"))
    return [
      Fault(
        regions: ["box=0,0,0.5,1; prompt=a; lora=\(ember):0.8", "box=0.5,0,1,1; prompt=b; lora=\(ember):0.7"],
        expected: ["0.8:0.8 and 0.7:0.7", ember]),
      Fault(
        regions: ["box=0,0,0.5,1; prompt=a; lora=\(ember); lora=\(ember)"],
        expected: ["names the adapter", "twice", ember]),
      Fault(
        regions: ["box=0,0,0.5,1; prompt=a; lora=\(moss)"],
        expected: ["both for the whole picture and for region 1", moss], global: true),
      Fault(
        regions: ["box=0,0,0.01,0.01; prompt=a; lora=\(ember)"],
        expected: ["covers no cell at any resolution"]),
      Fault(
        regions: ["box=0,0,0.5,1; prompt=a; lora=missing.safetensors"],
        expected: ["missing.safetensors"]),
      Fault(regions: ["box=0,0,0.5,1; prompt=a; lora=embre"], expected: ["did you mean 'ember'"]),
      Fault(regions: ["box=0,0,0.5,1; prompt=a <lora:embre:1>"], expected: ["did you mean 'ember'"]),
      Fault(regions: ["box=0,0,0.5,1; prompt=a; lora=:0.5"], expected: ["FILE:strength"]),
      Fault(regions: ["box=0,0,0.5,1; prompt=a; lora="], expected: ["names no file"]),
      Fault(
        regions: ["box=0,0,0.5,1; prompt=a; negative=b <lora:ember:1>"],
        expected: ["negative prompt of region 1", "where no adapter is read"]),
    ]
  }

  @Test(arguments: faults) func faultsAreNamed(_ fault: Fault) throws {
    var request = request(fault.regions)
    if fault.global { request.model.adapters.files = [AdapterRequest(path: Self.lora("moss"))] }
    #expect {
      _ = try RegionSchedule(try SamplePlan(request))
    } throws: { error in
      fault.expected.allSatisfy { "\(error)".contains($0) }
    }
  }

  /// A file of layers made for a test.
  private func adapter(_ name: String, _ tensors: [(String, [Int])]) throws -> String {
    let path = scratch.path("\(name).safetensors")
    try SafetensorsFile.write(
      tensors.map { ($0.0, HostArray([Float](repeating: 0.1, count: $0.1.reduce(1, *)), shape: $0.1)) },
      metadata: [:], to: URL(fileURLWithPath: path))
    return path
  }

  @Test func layersThatCannotActInARegion() throws {
    let query = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
    let textOnly = try adapter("text", [("\(query).lora_down.weight", [2, 64]), ("\(query).lora_up.weight", [64, 2])])
    let time = "lora_unet_time_embedding_linear_1"
    let timed = try adapter("time", [("\(time).lora_down.weight", [2, 32]), ("\(time).lora_up.weight", [128, 2])])
    let wide = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    let foreign = try adapter(
      "foreign", [("\(wide).lora_down.weight", [2, 1280]), ("\(wide).lora_up.weight", [1280, 2])])
    let norm = try adapter("norm", [("lora_unet_conv_norm_out.w_norm", [32]), ("lora_unet_conv_norm_out.b_norm", [32])])
    for (path, expected) in [
      (textOnly, "changes no layer of the U-Net"), (timed, "belongs to no position"),
      (foreign, "the adapter is for a layer"), (norm, "a bias or a normalisation"),
    ] {
      #expect {
        _ = try SamplePlan(request(["box=0,0,0.5,1; prompt=a; lora=\(path)"]))
      } throws: { "\($0)".contains(expected) && "\($0)".contains(path) }
    }
    // For the whole picture they are what they always were.
    var global = request([])
    global.model.adapters.files = [AdapterRequest(path: textOnly), AdapterRequest(path: timed)]
    _ = try SamplePlan(global)
  }

  /// A picture says which adapters its regions carry, and is drawn again by them.
  @Test func redraws() throws {
    var request = request([
      "box=0,0,0.5,1; prompt=a fox <lora:ember:0.8>; feather=4",
      "box=0.5,0,1,1; prompt=an owl; lora=\(Self.lora("moss")):0.5:0.7",
    ])
    request.steps = 2
    try SampleJob(request, .silent).run()
    var again = RedrawRequest(scratch.path("picture.png"))
    again.model.path = GoldenFile.model
    again.model.adapters.folder = request.model.adapters.folder
    again.output = scratch.path("again.png")
    try RedrawJob(again, .silent).run()
    let first = try Data(contentsOf: scratch.url.appending(path: "picture.png"))
    let second = try Data(contentsOf: scratch.url.appending(path: "again.png"))
    #expect(first == second)
    let texts = try PNG.decode(first, path: "first").texts
    let own = try #require(texts.first { $0.keyword == "mosc" }).text
    #expect(own.contains("\"lora\"") && own.contains("ember:0.8:0.8") && own.contains("moss:0.5:0.7"))
    let parameters = try #require(texts.first { $0.keyword == "parameters" }).text
    #expect(parameters.contains("ember: ") && parameters.contains("moss: "))
    // Another file under that name is not the adapter.
    let folder = scratch.url.appending(path: "loras")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (source, name) in [("moss", "ember"), ("moss", "moss")] {
      try FileManager.default.copyItem(
        at: RegionLoraRun.url("\(source).safetensors"), to: folder.appending(path: "\(name).safetensors"))
    }
    again.model.adapters.folder = folder.path
    #expect { try RedrawJob(again, .silent).run() } throws: { "\($0)".contains("has the hash") }
  }
}
