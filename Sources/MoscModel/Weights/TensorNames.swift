import MoscFormats

/// A layer that adapters can change, named by its part of the model and its path there:
/// `unet.mid_block.attentions.0.proj_in`.
package struct LayerID: Hashable, Sendable, CustomStringConvertible {
  package let network: AdapterFile.Network
  package let path: String

  package init(_ network: AdapterFile.Network, _ path: String) {
    self.network = network
    self.path = path
  }

  /// Reads a name; nil for what names no layer.
  package init?(_ name: some StringProtocol) {
    guard let dot = name.firstIndex(of: "."),
      let network = DiffusersModel.Component(rawValue: String(name[..<dot]))?.network
    else { return nil }
    self.init(network, String(name[name.index(after: dot)...]))
  }

  package var description: String { "\(network.component.rawValue).\(path)" }

  /// The path as all families of adapters spell it, with `_` in place of `.`.
  package var key: String { path.replacing(".", with: "_") }
}

extension AdapterFile.Network {
  /// The part of the model that holds the network.
  package var component: DiffusersModel.Component {
    switch self {
    case .textEncoder: .textEncoder
    case .unet: .unet
    }
  }
}

extension DiffusersModel.Component {
  /// The network that adapters change; nil for a part that they leave alone.
  package var network: AdapterFile.Network? {
    AdapterFile.Network.allCases.first { $0.component == self }
  }
}

/// A tensor that adapters bring to a model.
package enum AdapterTensor: Hashable, Sendable {
  /// The two factors of a layer's change, `up · down`; the raw value ends the tensor's name.
  package enum Factor: String, Hashable, Sendable {
    case down = "lora_down"
    case up = "lora_up"
  }

  case factor(LayerID, Factor)
  /// What a change is multiplied by: that of a layer, or of a tensor by its whole path.
  case scale(LayerID)
  /// What is added to a tensor, which is named by its whole path.
  case change(LayerID)
  /// The embeddings of all added tokens.
  case tokenRows

  private static let rows = "token_rows"
  private static let multiplier = "scale"
  private static let sum = "change"

  /// The name in stores, functions and training: `unet.PATH.lora_down`, `unet.PATH.lora_up`,
  /// `unet.PATH.scale`, `unet.PATH.weight.change` or `token_rows`.
  package var name: String {
    switch self {
    case .factor(let layer, let factor): "\(layer).\(factor.rawValue)"
    case .scale(let layer): "\(layer).\(Self.multiplier)"
    case .change(let tensor): "\(tensor).\(Self.sum)"
    case .tokenRows: Self.rows
    }
  }

  /// Reads a name; nil for other tensors.
  package init?(_ name: String) {
    if name == Self.rows {
      self = .tokenRows
      return
    }
    guard let dot = name.lastIndex(of: "."), let layer = LayerID(name[..<dot]) else { return nil }
    let last = String(name[name.index(after: dot)...])
    if let factor = Factor(rawValue: last) {
      self = .factor(layer, factor)
    } else if last == Self.multiplier {
      self = .scale(layer)
    } else if last == Self.sum {
      self = .change(layer)
    } else {
      return nil
    }
  }
}

/// Names of results that belong to other tensors of a function.
package enum ResultName {
  /// The gradient of the loss with respect to a trained tensor.
  package static func gradient(of tensor: String) -> String { "grad.\(tensor)" }

  /// The second moments of what the layers of one group read.
  package static func moments(_ group: Int) -> String { "moments.\(group)" }
}
