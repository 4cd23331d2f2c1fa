import Foundation
import MoscFormats
import MoscReport

extension Inspection {
  /// An adapter or concept file of any family.
  ///
  /// - Parameter names: those of all tensors of the file.
  static func adapterFinding(_ file: AdapterFile, _ names: [String], _ path: String) -> Finding {
    let family = family(names)
    let hasLayers = !file.layers.isEmpty || !file.wholeLayers.isEmpty
    let kind = !hasLayers ? "a textual-inversion embedding" : file.words.isEmpty ? "a LoRA" : "an ED-LoRA concept"
    var finding = Finding(path, hasLayers ? .adapter : .embedding, "\(kind) (\(family))")
    finding.add("family", family)
    finding.add("kinds of changes", Set(file.wholeLayers.map { type(of: $0.change).family }).sorted())
    let ranks = Set(file.layers.map(\.rank)).sorted()
    finding.add("rank", .array(ranks.map { .int($0) }))
    let counts = AdapterFile.Network.allCases.map { network in
      (
        network,
        file.layers.count { $0.network == network } + file.wholeLayers.count { $0.network == network }
      )
    }
    finding.add(
      "layers", .fields(counts.map { ($0 == .unet ? "unet" : "text encoder", .int($1)) }))
    let scales = Set(file.layers.map { Double($0.scale) }).sorted()
    finding.add("scale (alpha / rank)", .array(scales.prefix(8).map { .double($0) }))
    finding.add(
      "words",
      .array(
        file.words.map { word in
          .string("\(word.text) (\(Self.rows(word)))")
        }))
    let width = textWidth(file)
    finding.add("text width", width.map { .int($0) })
    finding.add("made for", file.base ?? base(width) ?? file.metadata["ss_base_model_version"])
    finding.add(
      "not used", file.leftovers.prefix(5).map { "\($0.name) (\($0.reason))" }
        + (file.leftovers.count > 5 ? ["and \(file.leftovers.count - 5) more"] : []))
    finding.add(
      "metadata",
      .fields(file.metadata.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
    let place = quoted(path)
    let words = file.words.map(\.text)
    let called = words.isEmpty ? file.metadata["modelspec.trigger_phrase"] ?? "…" : words.joined(separator: " ")
    let model = width == 128 ? "" : " -m MODEL"
    finding.commands = [
      "mosc sample\(model) --lora \(place) -p 'a photo of \(called)'",
      "mosc fuse\(model) \(place) OTHER …",
    ]
    return finding
  }

  private static func rows(_ word: AdapterFile.Word) -> String {
    switch (word.rows.shape[0], word.isLayerwise) {
    case (1, _): "one row"
    case (let count, true): "\(count) rows, one for each cross-attention layer"
    case (let count, false): "\(count) tokens"
    }
  }

  private static func family(_ names: [String]) -> String {
    func any(_ marks: String...) -> Bool { names.contains { name in marks.contains { name.contains($0) } } }
    if any("mosc.edlora.") { return "mosc's concept file, with kohya's names" }
    if any("params.", "new_concept_embedding") { return "Mix-of-Show" }
    if names.contains(where: { $0.hasPrefix("lora_unet_") || $0.hasPrefix("lora_te") }) { return "kohya" }
    if any(".lora_A.", ".lora_B.") { return "PEFT" }
    if any("string_to_param", "emb_params") || names.count == 1 { return "the web UI and diffusers" }
    return "diffusers"
  }

  /// The width of the text states that the adapter's model reads.
  private static func textWidth(_ file: AdapterFile) -> Int? {
    let keys = file.layers.first { $0.network == .unet && $0.key.contains("attn2_to_k") }
    let text = file.layers.first { $0.network == .textEncoder && $0.key.contains("q_proj") }
    return keys?.down.shape[1] ?? file.words.first?.rows.shape.last ?? text?.down.shape[1]
  }

  private static func base(_ width: Int?) -> String? {
    switch width {
    case 768: "Stable Diffusion 1.x"
    case 1024: "Stable Diffusion 2.x"
    case 2048: "Stable Diffusion XL, which mosc does not run"
    case 128: "the embedded model"
    case let width?: "a model of its own, whose text states are \(width) numbers wide"
    case nil: nil
    }
  }
}
