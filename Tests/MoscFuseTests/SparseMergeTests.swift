import Foundation
import MoscEngine
import MoscFormats
import MoscFuse
import MoscModel
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// Merges that leave numbers out: `ties` against PEFT, `dare` by what it must keep.
@Suite(.serialized) struct SparseMergeTests {
  private let scratch = Scratch()
  private let golden: SafetensorsFile

  init() throws { golden = try SafetensorsFile(Goldens.url("peft/merges.safetensors")) }

  private func files() throws -> [String] {
    try ["a", "b"].map { name in
      let tensors = try golden.entries.filter { $0.name.hasPrefix("\(name).") }.map {
        (String($0.name.dropFirst(2)), try golden.array($0.name))
      }
      let url = URL(fileURLWithPath: scratch.path("\(name).safetensors"))
      try SafetensorsFile.write(tensors, metadata: [:], to: url)
      return url.path
    }
  }

  private func request(_ method: FusionMethod, _ output: String) throws -> FuseRequest {
    var request = FuseRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.inputs = try files().compactMap(FusionInput.init)
    request.method = method
    request.output = scratch.path(output)
    return request
  }

  /// The products of a file by the ends of their layers' names.
  private func product(_ path: String, _ layer: String) throws -> Matrix {
    let found = try AdapterFile(URL(fileURLWithPath: path)).layers.first {
      "\($0.key)".replacing("_", with: ".").hasSuffix(layer.replacing("_", with: "."))
    }
    let own = try #require(found, "\(layer)")
    let up = Matrix(own.up.count / own.rank, own.rank, own.up.floats.map(Double.init))
    return .product(up, Matrix(own.rank, own.down.count / own.rank, own.down.floats.map(Double.init)))
      * Double(own.scale)
  }

  @Test func tiesEqualsPEFT() throws {
    var request = try request(.ties, "ties.safetensors")
    request.density = try #require(golden.metadata["density"].flatMap(Double.init))
    request.rank = 64
    try FuseJob(request, .silent).run()
    var compared = 0
    for entry in golden.entries where entry.name.hasPrefix("ties.") {
      let found = try product(request.output, String(entry.name.dropFirst(5)))
      let expected = try golden.array(entry.name)
      #expect([found.rows, found.columns] == expected.shape)
      #expect(Comparison.relative(found.values.map { Float($0) }, expected.floats) < 1e-5, "\(entry.name)")
      compared += 1
    }
    #expect(compared == 2)
    // All ranks together hold less of it than all directions.
    request.rank = nil
    request.output = scratch.path("cut.safetensors")
    try FuseJob(request, .silent).run()
    #expect(try AdapterFile(URL(fileURLWithPath: request.output)).layers.allSatisfy { $0.rank == 6 })
  }

  @Test func dareKeepsTheSumOnAverage() throws {
    var whole = try request(.concat, "sum.safetensors")
    try FuseJob(whole, .silent).run()
    var request = try request(.dare, "dare.safetensors")
    request.rank = 64
    request.density = 1
    try FuseJob(request, .silent).run()
    let layer = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    let sum = try product(whole.output, layer)
    #expect((try product(request.output, layer) - sum).norm < 1e-5 * sum.norm)

    request.density = 0.5
    var mean = Matrix(sum.rows, sum.columns)
    for seed in 0..<40 {
      request.seed = UInt64(seed)
      request.output = scratch.path("dare-\(seed).safetensors")
      try FuseJob(request, .silent).run()
      mean.add(try product(request.output, layer), scale: 1.0 / 40)
    }
    // Each number is twice itself or nothing, so the mean of n is off by 1/√n of itself.
    let off = (mean - sum).norm / sum.norm
    #expect(off > 0.08 && off < 0.25, "\(off)")
    let first = try product(request.output, layer)
    request.output = scratch.path("again.safetensors")
    try FuseJob(request, .silent).run()
    #expect(try product(request.output, layer).values == first.values)
    whole.density = 0.5
    #expect { try FuseJob(whole, .silent).run() } throws: {
      String(describing: $0).contains("only --merge ties and dare")
    }
    request.density = 0
    #expect { try FuseJob(request, .silent).run() } throws: { String(describing: $0).contains("above 0") }
  }
}
