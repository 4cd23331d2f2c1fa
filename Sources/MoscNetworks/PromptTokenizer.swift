import FoundationEssentials
import MoscDiffusion
import MoscFormats
import MoscModel
import MoscReport

/// Turns prompts with the concept words of a model into token ids for the text encoder.
package struct PromptTokenizer {
  package let binder: PromptBinder
  /// The tokens of all concept words, those of the model and those of adapters.
  package let conceptTokens: Set<Int32>
  private let tokenizer: CLIPTokenizer
  /// The rows of the text encoder's table.
  private let vocabulary: Int
  /// Where the tokenizer comes from, for errors.
  private let place: String

  package init(_ model: DiffusersModel) throws {
    let words = try model.words()
    conceptTokens = Set(words.flatMap(\.tokenIDs))
    binder = PromptBinder(words: words, layers: try model.unet().config.crossAttentionLayers)
    var tokenizer = try model.tokenizer()
    for word in words {
      for (name, id) in zip(word.tokenNames, word.tokenIDs) { tokenizer.add(name, id: id) }
    }
    self.tokenizer = tokenizer
    vocabulary = try model.textEncoder().config.vocabulary
    place = try model.layout.tokenizerFolder().path
  }

  /// Tokens per prompt.
  package var length: Int { tokenizer.maximumLength }

  /// The token that ends a prompt.
  package var end: Int32 { tokenizer.eos }

  /// The prompt of each cross-attention layer, one if all are equal.
  ///
  /// - Throws: `CommandError.failure` for a concept that is not loaded; `FormatError` for tokens that the
  ///   text encoder does not have.
  package func rows(_ text: String) throws -> [CLIPTokenizer.Encoding] {
    let prompts: [String]
    do {
      prompts = try binder.bind(text)
    } catch {
      throw CommandError.failure(error.description)
    }
    let rows = prompts.map { tokenizer.encode($0) }
    for id in rows.lazy.flatMap(\.ids)
    where !(0..<vocabulary).contains(Int(id)) && !conceptTokens.contains(id) {
      throw FormatError(
        place, nil,
        "gives a word of \"\(text.prefix(40))\" the token \(id), but the text encoder has only "
          + "\(vocabulary); it belongs to another model")
    }
    return Set(rows.map(\.ids)).count == 1 ? [rows[0]] : rows
  }

  /// Where the concept's tokens are in a prompt, in order.
  package func conceptPositions(_ ids: [Int32]) -> [Int] {
    ids.indices.filter { conceptTokens.contains(ids[$0]) }
  }
}
