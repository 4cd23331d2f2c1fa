import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscPrompts
import MoscReport

/// Turns prompts into text states: layer-wise where concepts ask for it, nothing encoded twice.
package struct PromptEncoder {
  private let components: ModelComponents
  private let tokenizer: PromptTokenizer
  private let skippedLayers: Int
  private let reading: PromptReading
  private let reporter: Reporter

  /// Shared beginnings are cut to multiples of this many tokens: each length is a compilation.
  private static let prefixUnit = 16

  package init(
    _ components: ModelComponents, skippedLayers: Int, reading: PromptReading = .plain,
    _ reporter: Reporter
  ) throws {
    self.components = components
    self.skippedLayers = skippedLayers
    self.reading = reading
    self.reporter = reporter
    tokenizer = try PromptTokenizer(components.model)
  }

  /// The tokens of a chunk.
  package var tokens: Int { tokenizer.length }

  /// The states of prompts; chunks whose tokens are equal are encoded once.
  ///
  /// - Parameter all: the prompts of the same pictures that are encoded elsewhere, these among them.
  package func encode(_ texts: Set<String>, among all: Set<String> = []) throws -> PromptStates {
    var pieces: [String: [PromptPiece]] = [:]
    for text in texts.union(all).sorted() { pieces[text] = try self.pieces(text) }
    // Prompts of one picture must be equally long.
    let lengths = Set(pieces.values.map(\.count))
    pieces = pieces.filter { texts.contains($0.key) }
    var groups = Set(pieces.values.joined().map(\.rows))
    let empty = [tokenizer.emptyChunk]
    if lengths.count > 1 { groups.insert(empty) }
    let states = try encode(groups)
    let isLayerwise = texts.union(all).contains { tokenizer.binder.isLayerwise($0) }
    return PromptStates(
      try pieces.mapValues { try joined($0, states) },
      layers: isLayerwise ? tokenizer.binder.layers : nil, padding: states[empty])
  }

  /// The chunks of a text.
  private func pieces(_ text: String) throws -> [PromptPiece] {
    switch reading {
    case .plain:
      let rows = try tokenizer.rows(text)
      if let cut = rows.first, cut.isTruncated {
        reporter.warn(
          "the prompt has \(cut.tokenCount) tokens, the model reads \(tokens); "
            + "the rest is cut off: \"\(text.prefix(40))…\"",
          kind: "cut prompt")
      }
      return [PromptPiece(rows: rows.map(\.ids), weights: [])]
    case .weighted(let emphasis, let commaBacktrack):
      let layers = try tokenizer.chunks(text, emphasis, commaBacktrack: commaBacktrack)
      return layers[0].chunks.enumerated().map { index, chunk in
        let rows = layers.map { $0.chunks[index].tokens }
        return PromptPiece(
          rows: Set(rows).count == 1 ? [rows[0]] : rows, weights: chunk.weights)
      }
    }
  }

  /// The states of groups of equally long rows.
  private func encode(_ groups: Set<[[Int32]]>) throws -> [[[Int32]]: HostArray] {
    var states: [[[Int32]]: HostArray] = [:]
    var programs: [TextEncoder.Shape: Program] = [:]
    let ordered = groups.sorted { ($0.count, $0.joined().lexicographic) < ($1.count, $1.joined().lexicographic) }
    for (index, group) in ordered.enumerated() {
      let shared = Self.sharedTokens(group)
      let shape = TextEncoder.Shape(
        batch: group.count, tokens: tokens, sharedTokens: shared, skippedLayers: skippedLayers)
      if programs[shape] == nil {
        // Another shape is another copy of the packed weights.
        programs = [shape: try components.program(.textEncoder(shape))]
      }
      guard let program = programs[shape] else { continue }
      states[group] = try components.keeper?.states(program, group) { try run(program, group, shared) }
        ?? run(program, group, shared)
      reporter.progress(.encode, "prompts", done: index + 1, of: ordered.count)
    }
    return states
  }

  /// The weighted states of a text's chunks, one after another: `[layers,k·t,c]`, one layer if all
  /// are equal.
  private func joined(
    _ pieces: [PromptPiece], _ states: [[[Int32]]: HostArray]
  ) throws -> HostArray {
    let parts = try pieces.map { piece in
      guard let found = states[piece.rows] else {
        throw CommandError.failure("a chunk of a prompt was not encoded")
      }
      return found
    }
    if pieces.count == 1, pieces[0].weights.allSatisfy({ $0 == 1 }) { return parts[0] }
    let size = tokens * parts[0].shape[2]
    let layers = parts.map { $0.shape[0] }.max() ?? 1
    var values: [Float] = []
    values.reserveCapacity(layers * pieces.count * size)
    for layer in 0..<layers {
      for (piece, part) in zip(pieces, parts) {
        let start = part.shape[0] == 1 ? 0 : layer * size
        var chunk = Array(part.floats[start..<start + size])
        reading.emphasis.apply(piece.weights, to: &chunk)
        values += chunk
      }
    }
    return HostArray(values, shape: [layers, pieces.count * tokens, parts[0].shape[2]])
  }

  private func run(
    _ program: Program, _ group: [[Int32]], _ shared: Int
  ) throws -> HostArray {
    var inputs = [
      "input_ids": HostArray(
        group.flatMap { Array($0[shared...]) }, shape: [group.count, tokens - shared])
    ]
    if shared > 0 {
      inputs["prefix_ids"] = HostArray(Array(group[0][..<shared]), shape: [1, shared])
    }
    guard let states = try program.run(inputs)["last_hidden_state"] else {
      throw CommandError.failure("the text encoder gave no 'last_hidden_state'")
    }
    return states
  }

  /// The length of the common beginning that is encoded once.
  private static func sharedTokens(_ rows: [[Int32]]) -> Int {
    guard rows.count > 1, let first = rows.first else { return 0 }
    let common = first.indices.first { index in rows.contains { $0[index] != first[index] } }
    return (common ?? 0) / prefixUnit * prefixUnit
  }
}

extension Sequence where Element == Int32 {
  /// The numbers as a string that sorts as they do.
  fileprivate var lexicographic: String { map { String($0, radix: 36) }.joined(separator: " ") }
}
