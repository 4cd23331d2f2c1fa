import Foundation

/// Writes adapters with their concept words.
package enum ConceptFile {
  /// A layout of the file.
  package enum Layout: String, CaseIterable, Hashable, Sendable {
    /// This program's own: kohya's names for the layers, `mosc.edlora.<word>` with one row for each
    /// cross-attention layer, and `bundle_emb.<word>` with their mean for programs that know no
    /// layers.
    case concept
    /// The layers alone, for programs that refuse every other tensor.
    case lora
    /// Mix-of-Show's own file.
    case pth

    /// What a file's name says.
    package init(_ url: URL) {
      self = ["pth", "pt"].contains(url.pathExtension.lowercased()) ? .pth : .concept
    }
  }

  /// The tensors of the safetensors layouts, in order.
  package static func tensors(
    _ layers: [AdapterFile.Layer], _ words: [AdapterFile.Word], layout: Layout = .concept
  ) -> [(name: String, array: HostArray)] {
    var result: [(String, HostArray)] = []
    for layer in layers {
      let stem = (layer.network == .unet ? "lora_unet_" : "lora_te_") + layer.key
      // Readers multiply by alpha / rank.
      let alpha = layer.scale * Float(layer.rank)
      result += [
        ("\(stem).alpha", HostArray([alpha], shape: [])),
        ("\(stem).lora_down.weight", layer.down), ("\(stem).lora_up.weight", layer.up),
      ]
    }
    if layout == .lora { return result }
    for word in words {
      let plain = "bundle_emb.\(word.text).string_to_param.*"
      guard word.isLayerwise else {
        result.append((plain, word.rows))
        continue
      }
      result.append((plain, mean(word.rows)))
      result.append(("mosc.edlora.\(word.text)", word.rows))
    }
    return result
  }

  /// Writes a safetensors file of either layout, all or nothing.
  ///
  /// `sshs_model_hash`, by which the web UI knows a file again, is added to the metadata.
  package static func write(
    _ layers: [AdapterFile.Layer], _ words: [AdapterFile.Word], layout: Layout = .concept,
    metadata: [String: String], to url: URL
  ) throws {
    let tensors = tensors(layers, words, layout: layout)
    var content = Data()
    for (_, array) in tensors { content.append(contentsOf: array.bytes) }
    var metadata = metadata
    metadata["sshs_model_hash"] = FileHash.sha256(content)
    try SafetensorsFile.write(tensors, metadata: metadata, to: url)
  }

  /// Writes Mix-of-Show's layout, whose layers are applied with a strength of the reader's choice:
  /// scales other than 1 go into the factors.
  ///
  /// - Parameter path: the path of a layer with dots.
  package static func writePTH(
    _ layers: [AdapterFile.Layer], _ words: [AdapterFile.Word], to url: URL,
    path: (AdapterFile.Layer) -> String
  ) throws {
    func network(_ network: AdapterFile.Network) -> TorchTree {
      let own = layers.filter { $0.network == network }
      return .dictionary(
        own.flatMap { layer -> [(key: String, value: TorchTree)] in
          let up =
            layer.scale == 1
            ? layer.up
            : HostArray(layer.up.floats.map { $0 * layer.scale }, shape: layer.up.shape)
          return [
            ("\(path(layer)).lora_down.weight", .tensor(layer.down)),
            ("\(path(layer)).lora_up.weight", .tensor(up)),
          ]
        })
    }
    let parameters: TorchTree = .dictionary([
      ("new_concept_embedding", .dictionary(words.map { ($0.text, .tensor($0.rows)) })),
      ("text_encoder", network(.textEncoder)), ("unet", network(.unet)),
    ])
    try TorchFile.write(.dictionary([("params", parameters)]), to: url)
  }

  private static func mean(_ rows: HostArray) -> HostArray {
    let (count, width) = (rows.shape[0], rows.shape[1])
    let floats = rows.floats
    let mean = (0..<width).map { column in
      let sum = (0..<count).reduce(0.0) { $0 + Double(floats[$1 * width + column]) }
      return Float(sum / Double(count))
    }
    return HostArray(mean, shape: [1, width])
  }
}
