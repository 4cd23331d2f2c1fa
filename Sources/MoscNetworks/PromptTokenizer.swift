import FoundationEssentials
import MoscDiffusion
import MoscFormats
import MoscModel
import MoscPrompts
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

  /// More chunks than any prompt needs: each makes every step slower.
  private static let mostChunks = 100

  /// Tokens per prompt.
  package var length: Int { tokenizer.maximumLength }

  /// The token that ends a prompt.
  package var end: Int32 { tokenizer.eos }

  /// The prompt of each cross-attention layer, one if all are equal.
  ///
  /// - Throws: `CommandError.failure` for a concept that is not loaded; `FormatError` for tokens that the
  ///   text encoder does not have.
  package func rows(_ text: String) throws -> [CLIPTokenizer.Encoding] {
    let rows = try bind(text).map { tokenizer.encode($0) }
    try check(rows.lazy.map(\.ids), of: text)
    return Set(rows.map(\.ids)).count == 1 ? [rows[0]] : rows
  }

  /// The chunks of a prompt with weights, for each cross-attention layer, one if all are equal.
  ///
  /// - Throws: as `rows`, and for a weight that is no number.
  package func chunks(
    _ text: String, _ emphasis: Emphasis, commaBacktrack: Int
  ) throws -> [PromptChunks] {
    let rules = PromptChunks.Rules(size: length - 2, commaBacktrack: commaBacktrack)
    let layers: [PromptChunks]
    do {
      layers = try bind(text).map { PromptChunks(try emphasis.texts($0), rules, tokenizer) }
    } catch let error as PromptSyntaxError {
      throw CommandError.usage("\(error): \"\(text.prefix(60))\"")
    }
    if let count = layers.first?.chunks.count, count > Self.mostChunks {
      throw CommandError.usage(
        "the prompt has \(count) chunks of \(rules.size) tokens, at most \(Self.mostChunks) are read: "
          + "\"\(text.prefix(40))…\"")
    }
    try check(layers.lazy.flatMap { $0.chunks.map(\.tokens) }, of: text)
    return Set(layers).count == 1 ? [layers[0]] : layers
  }

  /// The chunk that shorter prompts are padded with.
  var emptyChunk: [Int32] {
    PromptChunks.empty(
      size: length - 2, begin: tokenizer.bos, end: tokenizer.eos, pad: tokenizer.pad
    ).tokens
  }

  /// The text of each cross-attention layer, one if all are equal.
  private func bind(_ text: String) throws -> [String] {
    do {
      return try binder.bind(text)
    } catch {
      throw CommandError.failure(error.description)
    }
  }

  private func check(_ rows: some Sequence<[Int32]>, of text: String) throws {
    for id in rows.joined()
    where !(0..<vocabulary).contains(Int(id)) && !conceptTokens.contains(id) {
      throw FormatError(
        place, nil,
        "gives a word of \"\(text.prefix(40))\" the token \(id), but the text encoder has only "
          + "\(vocabulary); it belongs to another model")
    }
  }

  /// Where a word's tokens are among those of a prompt's first chunk.
  package func positions(of word: String, in text: String, _ reading: PromptReading) throws -> [Int] {
    let own = try rows(word)[0].ids.dropFirst().prefix { $0 != end }
    let ids: [Int32]
    switch reading {
    case .plain: ids = try rows(text)[0].ids
    case .weighted(let emphasis, let commaBacktrack):
      ids = try chunks(text, emphasis, commaBacktrack: commaBacktrack)[0].chunks[0].tokens
    }
    guard !own.isEmpty, ids.count >= own.count else { return [] }
    for start in 0...ids.count - own.count where ids[start..<start + own.count].elementsEqual(own) {
      return Array(start..<start + own.count)
    }
    return []
  }

  /// What tokens stand for.
  package func spellings(_ ids: [Int32]) -> [String] { tokenizer.spellings(ids) }

  /// Where the concept's tokens are in a prompt, in order.
  package func conceptPositions(_ ids: [Int32]) -> [Int] {
    ids.indices.filter { conceptTokens.contains(ids[$0]) }
  }
}
