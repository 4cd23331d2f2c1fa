import MoscFormats

/// The tokens of a prompt in the pieces that a text encoder reads, each with its weight.
package struct PromptChunks: Hashable, Sendable {
  /// One piece: begin token, up to 75 tokens, padding and end token.
  package struct Chunk: Hashable, Sendable {
    package var tokens: [Int32]
    /// What the state of each token is multiplied by.
    package var weights: [Double]
    /// How many of the tokens are of the prompt.
    package var used: Int
  }

  package let chunks: [Chunk]
  /// The tokens with the padding of pieces that a `BREAK` closed: what the web UI counts.
  package let tokenCount: Int
  /// The tokens of a piece without begin and end.
  package let size: Int

  /// The count at which another piece would begin.
  package var tokenLimit: Int { (max(tokenCount, 1) + size - 1) / size * size }

  /// How a piece is filled.
  package struct Rules: Hashable, Sendable {
    /// The tokens of a piece without begin and end.
    package var size = 75
    /// How far back from the end of a full piece a comma may be for what follows it to move to the
    /// next piece; 0 for never.
    package var commaBacktrack = 20

    package init(size: Int = 75, commaBacktrack: Int = 20) {
      (self.size, self.commaBacktrack) = (size, commaBacktrack)
    }
  }

  /// Cuts a prompt into pieces.
  ///
  /// - Parameters:
  ///   - tokens: the tokens of a stretch of text.
  ///   - comma: the token that is exactly `,`.
  package init(
    _ texts: [WeightedText], _ rules: Rules = Rules(), begin: Int32, end: Int32, pad: Int32,
    comma: Int32?, tokens: (String) throws -> [Int32]
  ) rethrows {
    var filler = ChunkFiller(rules: rules, begin: begin, end: end, pad: pad, comma: comma)
    for part in texts {
      if part.isBreak {
        filler.close()
      } else {
        for token in try tokens(part.text) { filler.append(token, part.weight) }
      }
    }
    filler.finish()
    (chunks, tokenCount, size) = (filler.chunks, filler.tokenCount, rules.size)
  }

  /// Cuts a prompt into pieces with the tokens of CLIP, after repairing the text as ftfy does.
  package init(_ texts: [WeightedText], _ rules: Rules = Rules(), _ tokenizer: CLIPTokenizer) {
    self.init(
      texts, rules, begin: tokenizer.bos, end: tokenizer.eos, pad: tokenizer.pad,
      comma: tokenizer.tokens(",").first
    ) { tokenizer.tokens($0, repairing: TextRepair.repaired) }
  }

  /// The piece that shorter prompts of a batch are padded with.
  package static func empty(size: Int, begin: Int32, end: Int32, pad: Int32) -> Chunk {
    var filler = ChunkFiller(
      rules: Rules(size: size), begin: begin, end: end, pad: pad, comma: nil)
    filler.finish()
    return filler.chunks[0]
  }
}

/// Fills pieces one after another.
private struct ChunkFiller {
  let rules: PromptChunks.Rules
  let begin: Int32
  let end: Int32
  let pad: Int32
  let comma: Int32?
  var chunks: [PromptChunks.Chunk] = []
  var tokenCount = 0
  private var tokens: [Int32] = []
  private var weights: [Double] = []
  private var lastComma: Int?

  init(rules: PromptChunks.Rules, begin: Int32, end: Int32, pad: Int32, comma: Int32?) {
    (self.rules, self.begin, self.end, self.pad, self.comma) = (rules, begin, end, pad, comma)
  }

  mutating func append(_ token: Int32, _ weight: Double) {
    if token == comma {
      lastComma = tokens.count
    } else if rules.commaBacktrack > 0, tokens.count == rules.size, let lastComma,
      tokens.count - lastComma <= rules.commaBacktrack
    {
      let start = lastComma + 1
      let (movedTokens, movedWeights) = (Array(tokens[start...]), Array(weights[start...]))
      tokens.removeSubrange(start...)
      weights.removeSubrange(start...)
      close()
      (tokens, weights) = (movedTokens, movedWeights)
    }
    if tokens.count == rules.size { close() }
    tokens.append(token)
    weights.append(weight)
  }

  /// Pads and closes the piece; the padding counts.
  mutating func close() {
    tokenCount += rules.size
    emit()
  }

  /// Closes the last piece, unless a break did; its padding does not count.
  mutating func finish() {
    guard !tokens.isEmpty || chunks.isEmpty else { return }
    tokenCount += tokens.count
    emit()
  }

  private mutating func emit() {
    let missing = rules.size - tokens.count
    chunks.append(
      PromptChunks.Chunk(
        tokens: [begin] + tokens + [Int32](repeating: pad, count: missing) + [end],
        weights: [1] + weights + [Double](repeating: 1, count: missing + 1), used: tokens.count))
    (tokens, weights, lastComma) = ([], [], nil)
  }
}
