import Foundation

/// How an untrained network's weights are drawn.
///
/// Layers are PyTorch's default (weights and biases uniform in ±1/√fan-in); norms are the identity;
/// the last layer of every residual branch, and of the U-Net, is zero, so that the network starts
/// as its skip connections. The text encoder is drawn as CLIP's. Source: PyTorch
/// `Linear.reset_parameters`; diffusers `zero_module`; transformers
/// `CLIPPreTrainedModel._init_weights`.
package struct WeightInitialisation: Hashable, Sendable {
  /// What a tensor is filled with.
  package enum Filling: Hashable, Sendable {
    case constant(Double)
    /// Uniform in ±limit.
    case uniform(limit: Double)
    /// Normal with mean 0.
    case normal(deviation: Double)
  }

  package let component: DiffusersModel.Component
  /// The shapes of all tensors by name.
  package let shapes: [String: [Int]]
  /// The text encoder's width and number of layers.
  private let text: TextEncoderConfig?

  package init(_ model: DiffusersModel, _ component: DiffusersModel.Component) throws {
    self.component = component
    shapes = try model.requests(component).shapes
    text = component == .textEncoder ? try model.textEncoder().config : nil
  }

  /// The tensors in the order of their names.
  package var names: [String] { shapes.keys.sorted() }

  /// What a tensor is filled with.
  package func filling(_ name: String) -> Filling {
    let isBias = name.hasSuffix(".bias")
    if let text { return Self.clip(name, width: text.width, layers: text.layers) }
    if Self.isNorm(name) { return .constant(isBias ? 0 : 1) }
    return endsBranch(name) ? .constant(0) : Self.torch(name, shapes)
  }

  /// What PyTorch fills the weight or bias of a layer with.
  static func torch(_ name: String, _ shapes: [String: [Int]]) -> Filling {
    let weight = name.hasSuffix(".bias") ? String(name.dropLast(".bias".count)) + ".weight" : name
    let inputs = shapes[weight].map { $0.dropFirst().reduce(1, *) } ?? 1
    return .uniform(limit: 1 / Double(max(1, inputs)).squareRoot())
  }

  /// What a tensor of one of CLIP's towers is filled with.
  static func clip(_ name: String, width: Int, layers: Int) -> Filling {
    let isBias = name.hasSuffix(".bias")
    if isNorm(name) { return .constant(isBias ? 0 : 1) }
    if isBias { return .constant(0) }
    let width = Double(width)
    let depth = 1 / Double(2 * max(1, layers)).squareRoot()
    if name.contains("embedding") { return .normal(deviation: 0.02) }
    if name.contains("out_proj") { return .normal(deviation: 1 / width.squareRoot()) }
    if name.contains("fc1") { return .normal(deviation: 1 / (2 * width).squareRoot()) }
    return .normal(deviation: depth / width.squareRoot())
  }

  private static func isNorm(_ name: String) -> Bool {
    name.split(separator: ".").dropLast().last?.contains("norm") == true
  }

  /// Whether a layer's output is added to its input's path, or is the predicted noise.
  private func endsBranch(_ name: String) -> Bool {
    let path = name.split(separator: ".").dropLast()
    if component == .unet, path.elementsEqual(["conv_out"]) { return true }
    return path.last == "conv2" || path.last == "proj_out"
      || (component == .vae && path.suffix(2).elementsEqual(["to_out", "0"]))
  }
}
