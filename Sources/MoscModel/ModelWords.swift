import Foundation
import MoscFormats

extension DiffusersModel {
  /// The concept words of a fused model's folder; none for other models.
  package func conceptWords() throws -> [ConceptWord] {
    let file = folder.appending(path: "new_concept_cfg.json")
    guard FileManager.default.fileExists(atPath: file.path) else { return [] }
    return try ConceptWord.read(try JSONObject(contentsOf: file))
  }

  /// The embedding of a token.
  ///
  /// - Throws: `FormatError` when the text encoder's files hold no table of that size.
  package func tokenRow(_ id: Int) throws -> [Float] {
    let name = "text_model.embeddings.token_embedding.weight"
    let names = [name] + TextEncoder.spellings.compactMap { $0.applied(to: name) }
    let files = try files(.textEncoder).files
    for file in files {
      for name in names where file[name] != nil {
        guard let tensor = file.weight(name), tensor.shape.count == 2, id < tensor.shape[0] else {
          throw FormatError(
            file.url.path, "tensor \"\(name)\"", "has no row \(id), which the tokenizer names")
        }
        let size = tensor.shape[1] * tensor.dtype.byteSize
        return withExtendedLifetime(file) {
          ElementType.floats(
            UnsafeRawBufferPointer(rebasing: tensor.bytes[id * size..<(id + 1) * size]),
            tensor.dtype)
        }
      }
    }
    throw FormatError(
      files.first?.url.path ?? folder.path, nil, "holds no tensor \"\(name)\"")
  }

  /// The first token id that neither tokenizer nor text encoder uses.
  package func nextToken() throws -> Int {
    max(Int(try tokenizer().nextID), try textEncoder().config.vocabulary)
  }

  /// The words that prompts may use: those of the model, then those of the adapters.
  package func words() throws -> [ConceptWord] { try conceptWords() + adapters.words }
}
