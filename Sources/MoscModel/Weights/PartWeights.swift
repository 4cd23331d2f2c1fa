import MoscFormats
import MoscIR

/// The weights of a part: files that hold exactly what its networks ask for.
package struct PartWeights: Sendable {
  package let files: ComponentFiles
  package let table: WeightTable
  package let requests: WeightRequests

  /// A tensor as the part's networks name and shape it.
  package struct Tensor {
    package let name: String
    package let shape: [Int]
    /// The tensor in its file.
    package let stored: WeightTensor
    package let file: any WeightSource
    package let storedName: String
  }

  /// The tensor that networks ask for under a name.
  package func tensor(_ name: String) -> Tensor? {
    guard let stored = table.storedName(name), let entry = table.tensors[stored],
      let file = files.file(of: entry), let tensor = file.weight(stored),
      let shape = requests.shapes[name]
    else { return nil }
    return Tensor(name: name, shape: shape, stored: tensor, file: file, storedName: stored)
  }

  /// All tensors that networks ask for, in their order.
  package var all: [Tensor] { requests.names.compactMap(tensor) }
}

extension DiffusersModel {
  /// What the networks of a part ask of its files: every function of it is built at its smallest size.
  package func requests(_ component: Component) throws -> WeightRequests {
    try parts.requests(component) {
      var recording = NetworkWeights(recording: component.rawValue)
      switch component {
      case .textEncoder:
        _ = try textEncoder().graph(TextEncoder.Shape(tokens: 1), &recording)
      case .unet:
        _ = try unet().graph(UNet.Shape(height: 1, width: 1, tokens: 1), &recording)
      case .vae:
        let vae = try vae()
        let side = vae.config.downsampling
        if vae.config.tiny?.hasEncoder ?? true {
          _ = try vae.encoder(height: side, width: side, &recording)
        }
        _ = try vae.decoder(height: 1, width: 1, &recording)
      }
      return recording.requests
    }
  }

  /// The weights of a part, after checking that its config and its files fit each other.
  ///
  /// - Throws: `FormatError` for files, `Diagnostic` for configs and tensors that do not fit.
  package func weights(_ component: Component) throws -> PartWeights {
    try parts.weights(component) {
      let files = try files(component)
      let (spellings, explained): ([Spelling], [ExplainedTensor]) =
        switch component {
        case .textEncoder: (TextEncoder.spellings, TextEncoder.explained)
        case .unet: ([], [])
        case .vae: (VAE.spellings, [])
        }
      let table = WeightTable(
        try files.tensors(), declarations: files.declarations,
        spellings: files.spellings + spellings,
        explained: explained)
      let requests = try requests(component)
      try table.check(requests)
      return PartWeights(files: files, table: table, requests: requests)
    }
  }

  /// What the layers of a part read, adapters included.
  func networkWeights(
    _ component: Component, training trained: TrainedTensors = .none
  ) throws -> NetworkWeights {
    var weights = NetworkWeights(try weights(component).table)
    weights.hooks.trained = trained
    weights.hooks.network = component.network
    weights.hooks.adapters = adapters.adapters
    if component == .unet { weights.hooks.regional = regional.map(RegionalBranches.init) }
    if component == .textEncoder, let rows = adapters.rows {
      weights.hooks.addedTokens = rows.tokens
    }
    return weights
  }
}
