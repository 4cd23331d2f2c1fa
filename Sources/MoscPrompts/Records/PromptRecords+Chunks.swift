import Foundation
import MoscFormats

extension PromptRecords {
  private func requireTokenizer() throws(FormatError) -> CLIPTokenizer {
    guard let tokenizer else {
      throw FormatError(path, nil, "records of chunks need a tokenizer")
    }
    return tokenizer
  }

  func chunks(_ record: JSONObject) throws -> [JSONValue.Member] {
    let prompt = try record.string("prompt")
    let tokenizer = try requireTokenizer()
    func chunks(_ emphasis: Emphasis, _ rules: PromptChunks.Rules) throws(PromptSyntaxError)
      -> PromptChunks
    {
      PromptChunks(try emphasis.texts(prompt), rules, tokenizer)
    }
    do throws(PromptSyntaxError) {
      let result = try chunks(.original, .init())
      var answers: [JSONValue.Member] = [.init("result", Self.object(result))]
      let literal = try chunks(.none, .init())
      if literal != result { answers.append(.init("result_emphasis_none", Self.object(literal))) }
      let unmoved = try chunks(.original, .init(commaBacktrack: 0))
      if unmoved != result { answers.append(.init("result_backtrack_0", Self.object(unmoved))) }
      let texts = try PromptAttention.parse(prompt)
      let matters = texts.contains { !$0.isBreak && Self.needsRepair($0.text, tokenizer) }
      return answers + [.init("ftfy_matters", .bool(matters))]
    } catch {
      return [.init("error", .string(error.kind.rawValue))]
    }
  }

  /// Whether a text would have other tokens without repair.
  private static func needsRepair(_ text: String, _ tokenizer: CLIPTokenizer) -> Bool {
    let composed = text.precomposedStringWithCanonicalMapping
    return composed.scalars != text.scalars
      || tokenizer.tokens(text, repairing: TextRepair.repaired)
        != tokenizer.tokens(text) { $0.lowercased() }
  }

  private static func object(_ chunks: PromptChunks) -> JSONValue {
    .object([
      .init("token_count", .int(chunks.tokenCount)),
      .init("target_token_count", .int(chunks.tokenLimit)),
      .init("chunks", .array(chunks.chunks.map(object))),
    ])
  }

  private static func object(_ chunk: PromptChunks.Chunk) -> JSONValue {
    .object([
      .init("tokens", .array(chunk.tokens.map { .int(Int($0)) })),
      .init("multipliers", numbers(chunk.weights)),
    ])
  }

  private static func numbers(_ values: [Double]) -> JSONValue { .array(values.map { .double($0) }) }

  func emptyChunk() throws -> JSONValue {
    let tokenizer = try requireTokenizer()
    return Self.object(
      PromptChunks.empty(
        size: PromptChunks.Rules().size, begin: tokenizer.bos, end: tokenizer.eos,
        pad: tokenizer.pad))
  }

  func emphasis(_ record: JSONObject) throws -> [JSONValue.Member] {
    func list(_ key: String) throws -> [Double] {
      guard let values = record[key]?.array?.map(\.double), values.allSatisfy({ $0 != nil }) else {
        throw record.error(key, "expected a list of numbers")
      }
      return values.compactMap { $0 }
    }
    let (states, weights) = (try list("z"), try list("multipliers"))
    guard !weights.isEmpty, states.count % weights.count == 0 else {
      throw record.error(
        "z", "has \(states.count) numbers, expected a multiple of the \(weights.count) multipliers")
    }
    func applied(_ emphasis: Emphasis) -> [Double] {
      var values = states.map { Float($0) }
      emphasis.apply(weights, to: &values)
      return values.map { Double($0) }
    }
    let original = applied(.original)
    var exact = states
    Emphasis.original.apply(weights, to: &exact)
    let difference = zip(original, exact).map { abs($0 - $1) }.max() ?? 0
    return [
      .init("original", Self.numbers(original)), .init("no_norm", Self.numbers(applied(.noNorm))),
      .init("original_f64", Self.numbers(exact)), .init("max_diff_f32_f64", .double(difference)),
      .init("mean_before", .double(Emphasis.mean(states))),
    ]
  }
}
