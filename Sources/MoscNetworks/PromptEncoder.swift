import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscReport

/// Turns prompts into text states: layer-wise where concepts ask for it, nothing encoded twice.
package struct PromptEncoder {
  private let components: ModelComponents
  private let tokenizer: PromptTokenizer
  private let skippedLayers: Int
  private let reporter: Reporter

  /// Shared beginnings are cut to multiples of this many tokens: each length is a compilation.
  private static let prefixUnit = 16

  package init(_ components: ModelComponents, skippedLayers: Int, _ reporter: Reporter) throws {
    self.components = components
    self.skippedLayers = skippedLayers
    self.reporter = reporter
    tokenizer = try PromptTokenizer(components.model)
  }

  /// The tokens of a prompt.
  package var tokens: Int { tokenizer.length }

  /// The states of prompts; those whose tokens are equal are encoded once.
  package func encode(_ texts: Set<String>) throws -> PromptStates {
    var ids: [String: [[Int32]]] = [:]
    var groups: Set<[[Int32]]> = []
    for text in texts.sorted() {
      let rows = try tokenizer.rows(text)
      if let cut = rows.first, cut.isTruncated {
        reporter.warn(
          "the prompt has \(cut.tokenCount) tokens, the model reads \(tokens); "
            + "the rest is cut off: \"\(text.prefix(40))…\"")
      }
      let distinct = rows.map(\.ids)
      ids[text] = distinct
      groups.insert(distinct)
    }
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
      states[group] = try run(program, group, shared)
      reporter.progress(.encode, "prompts", done: index + 1, of: ordered.count)
    }
    let isLayerwise = texts.contains { tokenizer.binder.isLayerwise($0) }
    return PromptStates(
      ids.compactMapValues { states[$0] }, layers: isLayerwise ? tokenizer.binder.layers : nil)
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
