import MoscFormats
import MoscIR

/// What `mosc inspect` tells about one part of a model.
package struct ComponentSummary: Hashable, Sendable {
  package var component: DiffusersModel.Component
  /// Paths of the weights files.
  package var files: [String]
  package var tensors: Int
  package var parameters: Int
  /// Bytes of weights in the files.
  package var bytes: Int
  /// How many tensors have each element type.
  package var dtypes: [ElementType: Int]
  /// Facts of the config in reading order.
  package var facts: [Fact]
  /// Keys of the config that were not recognised.
  package var ignoredKeys: [String]
  /// Tensors of the files that nothing reads, and why.
  package var unread: [ExplainedTensor]

  /// A line of a summary.
  package struct Fact: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }
}

extension DiffusersModel {
  /// The summary of a part, after the check that its files fit its config.
  package func summary(_ component: Component) throws -> ComponentSummary {
    let weights = try weights(component)
    let entries = Array(weights.table.tensors.values)
    let (facts, ignored) = try describe(component)
    return ComponentSummary(
      component: component, files: weights.files.declarations.map(\.path), tensors: entries.count,
      parameters: weights.requests.parameters,
      bytes: entries.reduce(0) { $0 + $1.count * $1.dtype.byteSize },
      dtypes: Dictionary(grouping: entries, by: \.dtype).mapValues(\.count),
      facts: facts, ignoredKeys: ignored, unread: weights.table.unreadByDesign)
  }

  private func describe(
    _ component: Component
  ) throws -> (facts: [ComponentSummary.Fact], ignoredKeys: [String]) {
    switch component {
    case .textEncoder:
      let config = try textEncoder().config
      return (config.facts, config.ignoredKeys)
    case .unet:
      let config = try unet().config
      return (config.facts, config.ignoredKeys)
    case .vae:
      let config = try vae().config
      return (config.facts, config.ignoredKeys)
    }
  }
}

extension TextEncoderConfig {
  /// The config in words.
  package var facts: [ComponentSummary.Fact] {
    [
      .init("layers", "\(layers)"), .init("width", "\(width)"),
      .init("inner width", "\(innerWidth)"), .init("heads", "\(heads)"),
      .init("vocabulary", "\(vocabulary)"), .init("positions", "\(positions)"),
      .init("activation", activation.rawValue),
    ]
  }
}

extension UNetConfig {
  /// The config in words.
  package var facts: [ComponentSummary.Fact] {
    [
      .init("widths", list(widths)), .init("heads", list(heads)),
      .init("layers per block", list(layersPerBlock)),
      .init("cross-attention layers", "\(crossAttentionLayers)"),
      .init("text width", "\(contextWidth)"), .init("norm groups", "\(groups)"),
      .init("channels", "\(inChannels) in, \(outChannels) out"),
      .init("projections", usesLinearProjection ? "linear" : "1×1 convolution"),
      .init("trained on latents of", sampleSize.map { "\($0)×\($0)" } ?? "unstated size"),
    ]
  }
}

extension VAEConfig {
  /// The config in words.
  package var facts: [ComponentSummary.Fact] {
    [
      .init("widths", list(widths)), .init("layers per block", "\(layersPerBlock)"),
      .init("norm groups", "\(groups)"), .init("pixels per latent", "\(downsampling)"),
      .init("latent channels", "\(latentChannels)"), .init("scaling factor", "\(scalingFactor)"),
      .init("trained on images of", sampleSize.map { "\($0)×\($0)" } ?? "unstated size"),
    ]
  }
}

private func list(_ numbers: [Int]) -> String {
  Set(numbers).count == 1
    ? "\(numbers[0])" : numbers.map(String.init).joined(separator: ", ")
}
