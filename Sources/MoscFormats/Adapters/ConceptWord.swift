/// A word that prompts may use for a taught concept, and the tokens that stand for it.
package struct ConceptWord: Hashable, Sendable {
  /// The word as prompts spell it, such as `<hina1>`.
  package var text: String
  /// The names of its tokens, such as `<new0>`…`<new15>`: one for each cross-attention layer, or
  /// one for all.
  package var tokenNames: [String]
  package var tokenIDs: [Int32]
  /// Whether each cross-attention layer reads a token of its own; else the tokens follow one another.
  package var isLayerwise: Bool

  package init(_ text: String, tokenNames: [String], tokenIDs: [Int32], isLayerwise: Bool = true) {
    self.text = text
    self.tokenNames = tokenNames
    self.tokenIDs = tokenIDs
    self.isLayerwise = isLayerwise && tokenNames.count > 1
  }

  /// What stands for the word in the prompt of a cross-attention layer.
  package func tokenName(layer: Int) -> String {
    isLayerwise ? tokenNames[layer] : tokenNames.joined(separator: " ")
  }

  /// Reads `new_concept_cfg.json` of a fused model: for each word its token names and ids.
  package static func read(_ object: JSONObject) throws(FormatError) -> [ConceptWord] {
    var result: [ConceptWord] = []
    for member in object.members {
      guard let names = member.value["concept_token_names"]?.array?.compactMap(\.string),
        let ids = member.value["concept_token_ids"]?.array?.compactMap(\.int),
        !names.isEmpty, names.count == ids.count, ids.allSatisfy({ Int32(exactly: $0) != nil })
      else {
        throw object.error(
          member.key, "expected concept_token_names and as many concept_token_ids, found "
            + "\(member.value)")
      }
      result.append(
        ConceptWord(member.key, tokenNames: names, tokenIDs: ids.map { Int32($0) }))
    }
    return result
  }
}
