import MoscEngine
import MoscFormats
import MoscReport

/// Encoded prompts, in the shape in which the U-Net reads them.
package struct PromptStates: Sendable {
  /// `[1,t,c]` for each prompt, or `[layers,t,c]` for one whose layers differ; t is a multiple of the
  /// text encoder's length.
  private let states: [String: HostArray]
  /// The cross-attention layers, when they read states of their own; nil when all read the same.
  package let layers: Int?
  /// The states `[1,t,c]` of a chunk without text; nil when all prompts are equally long.
  private let padding: HostArray?

  package init(_ states: [String: HostArray], layers: Int?, padding: HostArray? = nil) {
    self.states = states
    self.layers = layers
    self.padding = padding
  }

  /// The states of one prompt; nil for one that was not encoded.
  package subscript(prompt: String) -> HostArray? { states[prompt] }

  /// The tokens of the longest of some prompts.
  package func tokens(_ prompts: some Sequence<String>) throws -> Int {
    try prompts.map { try state($0).shape[1] }.max() ?? 0
  }

  private func state(_ prompt: String) throws -> HostArray {
    guard let found = states[prompt] else {
      throw CommandError.failure("the prompt '\(prompt)' was not encoded")
    }
    return found
  }

  /// What the U-Net reads for one part of guidance: the states of the prompt, then those of the
  /// regions, `[1,(layers),(contexts),t,c]`.
  ///
  /// - Parameter tokens: the length, to which shorter prompts are padded with empty chunks; nil for
  ///   that of the longest.
  package func context(_ prompts: [String], tokens: Int? = nil) throws -> HostArray {
    let contexts = try prompts.map(state)
    let tokens = try tokens ?? self.tokens(prompts)
    let width = contexts[0].shape[2]
    var values: [Float] = []
    values.reserveCapacity((layers ?? 1) * contexts.count * tokens * width)
    for layer in 0..<(layers ?? 1) {
      for state in contexts {
        let size = state.shape[1] * width
        let start = state.shape[0] == 1 ? 0 : layer * size
        values += state.floats[start..<start + size]
        let missing = tokens - state.shape[1]
        if missing == 0 { continue }
        guard let padding, missing > 0, missing % padding.shape[1] == 0 else {
          throw CommandError.failure(
            "a prompt of \(state.shape[1]) tokens cannot be padded to \(tokens)")
        }
        for _ in 0..<missing / padding.shape[1] { values += padding.floats }
      }
    }
    return HostArray(
      values, shape: [1] + (layers.map { [$0] } ?? []) + (contexts.count > 1 ? [contexts.count] : [])
        + [tokens, width])
  }
}
