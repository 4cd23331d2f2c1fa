import Foundation
import MoscEngine
import MoscFormats
import MoscReport

/// Writes concept files of fusion with the metadata that kohya's tools and ModelSpec readers look for.
enum FusedFile {
  /// Writes layers in the order of their keys, then the words in theirs.
  ///
  /// - Parameter metadata: further entries.
  /// - Throws: for a number that is not finite.
  static func write(
    _ layers: [AdapterFile.Layer], _ words: [AdapterFile.Word], title: String,
    metadata: [String: String] = [:], to url: URL
  ) throws {
    for layer in layers {
      try check(layer.up, "layer '\(layer.key)'")
      try check(layer.down, "layer '\(layer.key)'")
      // Factors of like size can hold what their product cannot.
      let largest = [layer.up, layer.down].map { $0.floats.reduce(0) { max($0, Double(abs($1))) } }
      let bound = largest[0] * largest[1] * Double(layer.rank) * Double(abs(layer.scale))
      guard Float(bound).isFinite else {
        throw CommandError.failure(
          "the change of the fused layer '\(layer.key)' reaches up to \(bound), expected numbers that "
            + "weights can hold; nothing is written")
      }
    }
    for word in words { try check(word.rows, "word '\(word.text)'") }
    let ordered = layers.sorted { ($0.network.rawValue, $0.key) < ($1.network.rawValue, $1.key) }
    var entries = [
      "mosc.version": Version.text,
      "ss_network_module": "networks.lora",
      "ss_network_dim": "\(layers.map(\.rank).max() ?? 0)",
      "ss_network_alpha": "\(layers.map { $0.scale * Float($0.rank) }.max() ?? 0)",
      "ss_base_model_version": "sd_v1",
      "ss_output_name": title,
      "modelspec.sai_model_spec": "1.0.1",
      "modelspec.architecture": "stable-diffusion-v1/lora",
      "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
      "modelspec.title": title,
    ]
    if !words.isEmpty {
      entries["modelspec.trigger_phrase"] = words.map(\.text).joined(separator: " ")
    }
    entries.merge(metadata) { $1 }
    try ConceptFile.write(ordered, words, metadata: entries, to: url)
  }

  /// A file with such numbers would draw noise or nothing.
  private static func check(_ array: HostArray, _ place: String) throws {
    guard let bad = array.floats.first(where: { !$0.isFinite }) else { return }
    throw CommandError.failure(
      "the fused \(place) holds \(bad), expected numbers; nothing is written")
  }
}
