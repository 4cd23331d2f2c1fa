import Foundation
import MoscFormats
import TestSupport
import Testing

/// Concept files as this program writes them.
@Suite struct ConceptFileTests {
  @Test func roundTrip() throws {
    let source = try AdapterFile(Goldens.url("mix-of-show/edlora_hina.pth"))
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("concept-\(UUID().uuidString).safetensors")
    defer { try? FileManager.default.removeItem(at: url) }
    try ConceptFile.write(source.layers, source.words, metadata: ["note": "a"], to: url)
    let read = try AdapterFile(url)
    #expect(read.leftovers.isEmpty)
    #expect(read.words.map(\.text) == source.words.map(\.text))
    #expect(read.words.map(\.rows) == source.words.map(\.rows))
    #expect(read.layers.count == source.layers.count)
    let table = Dictionary(
      uniqueKeysWithValues: read.layers.map { ("\($0.network) \($0.key)", $0) })
    for layer in source.layers {
      let other = try #require(table["\(layer.network) \(layer.key)"])
      #expect(other.down == layer.down && other.up == layer.up)
      #expect(abs(other.scale - layer.scale) < 1e-6)
    }
    let file = try SafetensorsFile(url)
    #expect(file.metadata["note"] == "a")
    #expect(file.metadata["sshs_model_hash"]?.count == 64)
    // Other programs get the mean of the rows.
    let rows = try file.array("mosc.edlora.<hina1>")
    let mean = try file.array("bundle_emb.<hina1>.string_to_param.*")
    #expect(mean.shape == [1, rows.shape[1]])
    let sum = (0..<rows.shape[0]).reduce(Float(0)) { $0 + rows.floats[$1 * rows.shape[1]] }
    #expect(abs(mean.floats[0] - sum / Float(rows.shape[0])) < 1e-6)
  }
}
