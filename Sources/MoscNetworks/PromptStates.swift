import MoscEngine
import MoscFormats
import MoscReport

/// Encoded prompts, in the shape in which the U-Net reads them.
package struct PromptStates: Sendable {
  /// `[1,t,c]` for each prompt, or `[layers,t,c]` for one whose layers differ.
  private let states: [String: HostArray]
  /// The cross-attention layers, when they read states of their own; nil when all read the same.
  package let layers: Int?

  package init(_ states: [String: HostArray], layers: Int?) {
    self.states = states
    self.layers = layers
  }

  /// The states of one prompt; nil for one that was not encoded.
  package subscript(prompt: String) -> HostArray? { states[prompt] }

  /// What the U-Net reads for one half of guidance: the states of the prompt, then those of the
  /// regions, `[1,(layers),(contexts),t,c]`.
  package func context(_ prompts: [String]) throws -> HostArray {
    let contexts = try prompts.map { prompt in
      guard let found = states[prompt] else {
        throw CommandError.failure("the prompt '\(prompt)' was not encoded")
      }
      return found
    }
    let (tokens, width) = (contexts[0].shape[1], contexts[0].shape[2])
    let size = tokens * width
    var values: [Float] = []
    values.reserveCapacity((layers ?? 1) * contexts.count * size)
    for layer in 0..<(layers ?? 1) {
      for state in contexts {
        let start = state.shape[0] == 1 ? 0 : layer * size
        values += state.floats[start..<start + size]
      }
    }
    return HostArray(
      values, shape: [1] + (layers.map { [$0] } ?? []) + (contexts.count > 1 ? [contexts.count] : [])
        + [tokens, width])
  }
}
