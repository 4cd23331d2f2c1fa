import Foundation
import MoscFormats

extension DiffusersModel {
  /// The concept words of a fused model's folder; none for other models.
  package func conceptWords() throws -> [ConceptWord] {
    guard let file = try layout.conceptWords() else { return [] }
    let words = try ConceptWord.read(file)
    let layers = try unet().config.crossAttentionLayers
    let vocabulary = try textEncoder().config.vocabulary
    for word in words {
      guard [1, layers].contains(word.tokenNames.count) else {
        throw FormatError(
          file.path, "word \"\(word.text)\"",
          "has \(word.tokenNames.count) tokens, expected 1, or \(layers) for the cross-attention "
            + "layers")
      }
      if let id = word.tokenIDs.first(where: { !(0..<vocabulary).contains(Int($0)) }) {
        throw FormatError(
          file.path, "word \"\(word.text)\"",
          "has the token id \(id), expected 0 to \(vocabulary - 1), the rows of the text encoder")
      }
    }
    return words
  }

  /// The embedding of a token.
  ///
  /// - Throws: `FormatError` when the text encoder's files hold no table of that size.
  package func tokenRow(_ id: Int) throws -> [Float] {
    let name = "text_model.embeddings.token_embedding.weight"
    let part = try weights(.textEncoder)
    guard let tensor = part.tensor(name) else {
      throw FormatError(url.path, nil, "holds no tensor \"\(name)\"")
    }
    guard tensor.shape.count == 2, id < tensor.shape[0] else {
      throw FormatError(
        tensor.file.place, "tensor \"\(tensor.storedName)\"",
        "has no row \(id), which the tokenizer names")
    }
    let size = tensor.shape[1] * tensor.stored.dtype.byteSize
    return withExtendedLifetime(tensor.file) {
      ElementType.floats(
        UnsafeRawBufferPointer(rebasing: tensor.stored.bytes[id * size..<(id + 1) * size]),
        tensor.stored.dtype)
    }
  }

  /// The first token id that neither tokenizer nor text encoder uses.
  package func nextToken() throws -> Int {
    max(Int(try tokenizer().nextID), try textEncoder().config.vocabulary)
  }

  /// The words that prompts may use: those of the model, then those of the adapters.
  package func words() throws -> [ConceptWord] { try conceptWords() + adapters.words }
}
