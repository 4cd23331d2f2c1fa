import Foundation
import MoscDriver
import MoscFormats
import MoscNetworks
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// Broken models and impossible requests: one clear error before any work, and no file.
@Suite struct BadInputTests {
  private let scratch = Scratch()

  private var weights: URL {
    scratch.url.appendingPathComponent("model/unet/diffusion_pytorch_model.safetensors")
  }

  /// A copy of the golden model to damage.
  private func copyModel() throws {
    try FileManager.default.copyItem(atPath: GoldenFile.model, toPath: scratch.path("model"))
  }

  /// Expects planning to fail with a message that holds the words, and to leave nothing.
  private func expectFailure(
    _ words: String..., status: MoscReport.ExitStatus = .failure, edit: (inout SampleRequest) -> Void = { _ in }
  ) {
    var request = SampleRequest()
    request.prompt = "a cat"
    request.output = scratch.path("picture.png")
    if FileManager.default.fileExists(atPath: scratch.path("model")) {
      request.model.path = scratch.path("model")
    }
    edit(&request)
    #expect {
      try SampleJob(request, .silent)
    } throws: { error in
      let text = String(describing: error)
      return MoscReport.ExitStatus(error) == status && words.allSatisfy { text.contains($0) }
    }
    #expect(!scratch.names.contains { $0.hasSuffix(".png") })
  }

  /// Rewrites the header of the U-Net's weights.
  private func editHeader(_ edit: (String) -> String) throws {
    let data = try Data(contentsOf: weights)
    let length = Int(data.prefix(8).enumerated().reduce(0) { $0 | UInt64($1.element) << (8 * $1.offset) })
    let header = Data(edit(String(decoding: data[8..<8 + length], as: UTF8.self)).utf8)
    var count = UInt64(header.count).littleEndian
    try (Data(bytes: &count, count: 8) + header + data[(8 + length)...]).write(to: weights)
  }

  @Test func missingModel() {
    expectFailure(scratch.path("none"), "no such") { $0.model.path = scratch.path("none") }
  }

  @Test func truncatedWeights() throws {
    try copyModel()
    let data = try Data(contentsOf: weights)
    try data.prefix(data.count / 2).write(to: weights)
    expectFailure("diffusion_pytorch_model.safetensors", "truncated")
  }

  @Test func absurdHeaderLength() throws {
    try copyModel()
    try (Data(repeating: 0xff, count: 8) + Data(count: 64)).write(to: weights)
    expectFailure("header", "absurd")
  }

  @Test func wrongElementType() throws {
    try copyModel()
    try editHeader {
      $0.replacingOccurrences(
        of: "\"conv_in.bias\":{\"dtype\":\"F32\"", with: "\"conv_in.bias\":{\"dtype\":\"I32\"")
    }
    expectFailure("conv_in.bias", "I32", "F32")
  }

  @Test func overlappingTensors() throws {
    try copyModel()
    let file = try SafetensorsFile(weights)
    let (first, second) = (file.entries[0], file.entries[1])
    let start = first.range.lowerBound
    func offsets(_ entry: SafetensorsFile.Entry) -> String {
      "[\(entry.range.lowerBound - start),\(entry.range.upperBound - start)]"
    }
    // The second tensor now starts inside the first; sizes still fit the shapes.
    let moved = "[\(second.range.lowerBound - start - 4),\(second.range.upperBound - start - 4)]"
    try editHeader { $0.replacingOccurrences(of: offsets(second), with: moved) }
    expectFailure("overlaps")
  }

  @Test func configContradictsWeights() throws {
    try copyModel()
    let url = scratch.url.appendingPathComponent("model/unet/config.json")
    let text = try String(contentsOf: url, encoding: .utf8)
    try text.replacingOccurrences(
      of: "\"cross_attention_dim\": 64", with: "\"cross_attention_dim\": 96"
    ).write(to: url, atomically: true, encoding: .utf8)
    expectFailure("attn2.to_k.weight", "64", "96")
  }

  @Test func impossibleRequests() {
    expectFailure("--steps 0", status: .usage) { $0.steps = 0 }
    expectFailure("--width 66", "68", status: .usage) { $0.width = 66 }
    expectFailure("--cfg-scale", status: .usage) { $0.guidance = .nan }
    expectFailure("no folder") { $0.output = scratch.path("none/a.png") }
    expectFailure("cannot be made") { $0.output = "/proc/none/" }
    for name in ["a.bmp", "a.tiff", "a.gif", "%d.avif", "a.JPGG"] {
      expectFailure(name.replacing("%d", with: "1"), ".png, .jpg, .jpeg or .webp", status: .usage) {
        $0.output = scratch.path(name)
      }
    }
    expectFailure("no such file") { $0.latentsIn = scratch.path("none.safetensors") }
    expectFailure("cannot read") { $0.promptFile = scratch.path("none.txt") }
  }

  /// A module in stage buffer has no inputs and results to bind, and says so.
  @Test func runsNoBuffers() throws {
    let (module, tensors) = (scratch.path("b.mos"), scratch.path("in.safetensors"))
    try """
      mosc 1
      stage buffer
      kernel @k.silu(%a: f32[2]) -> (f32[2]) {
        %0 = silu(%a) : f32[2]
        return %0
      }
      func @f.step(%x: f32[2], %y: f32[2]) {
        launch @k.silu(%x, into: %y)
        return
      }
      """.write(toFile: module, atomically: true, encoding: .utf8)
    try SafetensorsFile.write(
      [("x", HostArray([1, 2] as [Float], shape: [2]))], to: URL(filePath: tensors))
    var request = RunRequest(
      .program(.file(module)), input: tensors, output: scratch.path("out.safetensors"))
    request.function = "f.step"
    #expect {
      try RunJob(request, .silent).run()
    } throws: { "\($0)".contains("stage buffer") }
    #expect(!scratch.names.contains("out.safetensors"))
  }
}
