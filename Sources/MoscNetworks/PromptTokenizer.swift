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

  package init(_ model: DiffusersModel) throws {
    let words = try model.words()
    conceptTokens = Set(words.flatMap(\.tokenIDs))
    binder = PromptBinder(words: words, layers: try model.unet().config.crossAttentionLayers)
    var tokenizer = try model.tokenizer()
    for word in words {
      for (name, id) in zip(word.tokenNames, word.tokenIDs) { tokenizer.add(name, id: id) }
    }
    self.tokenizer = tokenizer
  }

  /// Tokens per prompt.
  package var length: Int { tokenizer.maximumLength }

  /// The token that ends a prompt.
  package var end: Int32 { tokenizer.eos }

  /// The prompt of each cross-attention layer, one if all are equal.
  ///
  /// - Throws: `CommandError.failure` for a concept that is not loaded.
  package func rows(_ text: String) throws -> [CLIPTokenizer.Encoding] {
    let prompts: [String]
    do {
      prompts = try binder.bind(text)
    } catch {
      throw CommandError.failure(error.description)
    }
    let rows = prompts.map { tokenizer.encode($0) }
    return Set(rows.map(\.ids)).count == 1 ? [rows[0]] : rows
  }

  /// Where the concept's tokens are in a prompt, in order.
  package func conceptPositions(_ ids: [Int32]) -> [Int] {
    ids.indices.filter { conceptTokens.contains(ids[$0]) }
  }
}
