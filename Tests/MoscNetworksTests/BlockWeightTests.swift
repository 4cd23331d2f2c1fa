import Foundation
import MoscDiffusion
import MoscFormats
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscReport
import RunSupport
import TestSupport
import Testing

/// Strengths by block of the U-Net.
@Suite struct BlockWeightTests {
  /// The multipliers of a file's layers by path.
  private func scales(_ name: String, _ blocks: String?) throws -> [LayerID: Float] {
    var options = ModelOptions(path: GoldenFile.model)
    var request = AdapterRequest(path: Goldens.url(name).path, textEncoder: 0.5, unet: 0.25)
    request.blocks = try blocks.map { try BlockWeights($0) }
    options.adapters.files = [request]
    let model = try ModelComponents.open(options)
    let adapter = try #require(model.adapters.adapters.first)
    var result: [LayerID: Float] = [:]
    for id in adapter.changes.union(adapter.ranks.keys) {
      result[id] = model.adapterTensor(AdapterTensor.scale(id).name)?.floats.first
    }
    return result
  }

  private func expect(_ blocks: String, _ factor: (LayerID) -> Float?) throws {
    for name in ["diffusers/lora_kohya.safetensors", "adapters/full.safetensors", "adapters/loha_wide.safetensors"] {
      let (plain, weighted) = (try scales(name, nil), try scales(name, blocks))
      #expect(!plain.isEmpty && plain.count == weighted.count)
      for (id, scale) in plain {
        guard let factor = factor(id) else { continue }
        #expect(abs((weighted[id] ?? .nan) - scale * factor) < 1e-6, "\(blocks) \(id)")
      }
    }
  }

  /// The block of a layer of four levels with two layers each, counted by hand: level, layer and the place within.
  private func block(_ id: LayerID) -> String? {
    let parts = id.path.split(separator: ".").map(String.init)
    guard id.network == .unet else { return "BASE" }
    if parts[0] == "mid_block" { return "M00" }
    guard parts.count > 3, let level = Int(parts[1]), let index = Int(parts[3]) else { return nil }
    switch (parts[0], parts[2]) {
    case ("down_blocks", "downsamplers"): return "IN\(3 * level + 3)"
    case ("down_blocks", _): return "IN\(3 * level + 1 + index)"
    case ("up_blocks", "upsamplers"): return "OUT\(3 * level + 2)"
    case ("up_blocks", _): return "OUT\(3 * level + index)"
    default: return nil
    }
  }

  @Test func numbersOfEveryLength() throws {
    // The block with attention by its number in a list of 17.
    let blocks = ["BASE", "IN1", "IN2", "IN4", "IN5", "IN7", "IN8", "M00"] + (3..<12).map { "OUT\($0)" }
    let values = (0..<17).map { Float($0) / 16 }
    try expect(values.map { "\($0)" }.joined(separator: ",")) { id in
      guard let name = block(id) else { return nil }
      return blocks.firstIndex(of: name).map { values[$0] } ?? 0
    }
    let all = ["BASE"] + (0..<12).map { "IN\($0)" } + ["M00"] + (0..<12).map { "OUT\($0)" }
    try expect((0..<26).map { "\(Float($0) / 8)" }.joined(separator: ", ")) { id in
      block(id).flatMap(all.firstIndex).map { Float($0) / 8 }
    }
    let deep = ["BASE", "IN4", "IN5", "IN7", "IN8", "M00"] + (0..<6).map { "OUT\($0)" }
    try expect("1,2,3,4,5,6,7,8,9,10,11,12") { id in
      block(id).map { name in deep.firstIndex(of: name).map { Float($0 + 1) } ?? 0 }
    }
    let twenty = ["BASE"] + (0..<9).map { "IN\($0)" } + ["M00"] + (0..<9).map { "OUT\($0)" }
    try expect((1...20).map { "-\($0)" }.joined(separator: ",")) { id in
      block(id).map { name in twenty.firstIndex(of: name).map { -Float($0 + 1) } ?? 0 }
    }
  }

  @Test func namedLists() throws {
    try expect("ALL") { block($0).map { ["IN3", "IN6", "IN9", "IN10", "IN11", "OUT0", "OUT1", "OUT2"].contains($0) ? 0 : 1 } }
    try expect("none") { block($0) == nil ? nil : 0 }
    try expect("MIDD") { id in
      block(id).map { ["BASE", "IN5", "IN7", "IN8", "M00", "OUT3", "OUT4", "OUT5", "OUT6"].contains($0) ? 1 : 0 }
    }
    try expect("OUTS") { id in
      block(id).map { ["BASE", "OUT7", "OUT8", "OUT9", "OUT10", "OUT11"].contains($0) ? 1 : 0 }
    }
    try expect("ALL0.5") { block($0) == "M00" ? 0.5 : nil }
  }

  @Test(arguments: ["", "1,2", "MIDDLE", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,R", "1,,1"])
  func whatIsNoList(text: String) {
    #expect { try BlockWeights(text) } throws: { "\($0)".contains("lbw=\(text): expected 17, 26, 12 or 20 numbers") }
  }

  @Test func tagsAndOptions() throws {
    func tags(_ prompt: String) throws -> [LoraTag] { try LoraTag.tags(NetworkTag.take(from: prompt).tags) }
    #expect(try tags("a <lora:x:0.5:lbw=MIDD>")
      == [LoraTag(name: "x", textEncoder: 0.5, unet: 0.5, blocks: "MIDD")])
    for (tag, message) in [
      ("<lora:x:1:lbw=MID>", "lbw=MID"), ("<lora:x:1:lbwe=ATTNDEEPON>", "only lbw is"),
      ("<lora:x:1:stop=10>", "only lbw is"), ("<lora:x:1:foo=1>", "expected te, unet, lbw or dyn"),
    ] {
      #expect { try tags(tag) } throws: { "\($0)".contains(message) }
    }
    let request = try #require(AdapterRequest(spelling: "a:b.pth:0.5:lbw=OUTALL"))
    let blocks = try BlockWeights("OUTALL")
    #expect(request.path == "a:b.pth" && request.unet == 0.5 && request.blocks == blocks)
    #expect(AdapterRequest(spelling: "a.pth:lbw=OUTALL")?.unet == 1)
    #expect(AdapterRequest(spelling: "a.pth:lbw=nothing") == nil)
  }
}
