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
  /// The states of each context where adapters of their own make them differ; else empty.
  private var contexts: [PromptStates] = []

  package init(_ states: [String: HostArray], layers: Int?, padding: HostArray? = nil) {
    self.states = states
    self.layers = layers
    self.padding = padding
  }

  /// States of the same prompts that differ from context to context, the picture's own first.
  package init(contexts: [PromptStates]) {
    self.init(
      contexts.first?.states ?? [:], layers: contexts.first?.layers, padding: contexts.first?.padding)
    self.contexts = contexts
  }

  /// The states of one prompt; nil for one that was not encoded.
  package subscript(prompt: String) -> HostArray? { states[prompt] }

  /// The tokens of the longest of some prompts.
  package func tokens(_ prompts: some Sequence<String>) throws -> Int {
    let all = contexts.isEmpty ? [self] : contexts
    return try prompts.map { prompt in
      let lengths = all.compactMap { $0.states[prompt]?.shape[1] }
      return try lengths.max() ?? state(prompt, 0).shape[1]
    }.max() ?? 0
  }

  /// The states of a prompt of a context; contexts that are only there to fill a bucket read the first's.
  private func state(_ prompt: String, _ context: Int) throws -> HostArray {
    let own = context < contexts.count ? contexts[context].states : states
    guard let found = own[prompt] else {
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
    let states = try prompts.enumerated().map { try state($1, $0) }
    let tokens = try tokens ?? self.tokens(prompts)
    let width = states[0].shape[2]
    var values: [Float] = []
    values.reserveCapacity((layers ?? 1) * states.count * tokens * width)
    for layer in 0..<(layers ?? 1) {
      for (context, state) in states.enumerated() {
        let size = state.shape[1] * width
        let start = state.shape[0] == 1 ? 0 : layer * size
        values += state.floats[start..<start + size]
        let missing = tokens - state.shape[1]
        if missing == 0 { continue }
        let padding = context < contexts.count ? contexts[context].padding : padding
        guard let padding, missing > 0, missing % padding.shape[1] == 0 else {
          throw CommandError.failure(
            "a prompt of \(state.shape[1]) tokens cannot be padded to \(tokens)")
        }
        for _ in 0..<missing / padding.shape[1] { values += padding.floats }
      }
    }
    return HostArray(
      values, shape: [1] + (layers.map { [$0] } ?? []) + (states.count > 1 ? [states.count] : [])
        + [tokens, width])
  }
}
