import MoscFormats
import MoscIR

/// The networks of a model; the raw value names the function.
package enum ComponentKind: String, CaseIterable, Hashable, Sendable {
  case textEncoder = "text_encoder"
  case unet
  case vaeEncoder = "vae_encoder"
  case vaeDecoder = "vae_decoder"

  /// The part of the model whose weights it reads.
  package var component: DiffusersModel.Component {
    switch self {
    case .textEncoder: .textEncoder
    case .unet: .unet
    case .vaeEncoder, .vaeDecoder: .vae
    }
  }
}

/// A function of a model, as `mosc run` and `mosc compile` name it, with its sizes.
package enum ModelFunction: Hashable, Sendable {
  case textEncoder(TextEncoder.Shape)
  case unet(UNet.Shape)
  /// Height and width in pixels.
  case vaeEncoder(batch: Int, height: Int, width: Int, seamless: Seamless? = nil)
  /// Height and width in latent pixels.
  case vaeDecoder(batch: Int, height: Int, width: Int, seamless: Seamless? = nil)

  /// The network.
  package var kind: ComponentKind {
    switch self {
    case .textEncoder: .textEncoder
    case .unet: .unet
    case .vaeEncoder: .vaeEncoder
    case .vaeDecoder: .vaeDecoder
    }
  }

  /// The part of the model whose weights it reads.
  package var component: DiffusersModel.Component { kind.component }
}

/// A module of one function, with the mapped files that its `param` ops refer to.
package struct ModelProgram: Sendable {
  package var module: Module
  package var files: ComponentFiles
  /// What adapters add, by declaration.
  package var additions: [String: any WeightSource] = [:]
  /// The paths of the layers whose inputs' second moments are the results `ResultName.moments`.
  package var moments: [[String]] = []

  /// The function.
  package var function: Graph { module.graphs[0] }

  /// The mapped file behind a declaration.
  package func file(_ source: String) -> (any WeightSource)? {
    files.declarations.firstIndex { $0.name == source }.map { files.files[$0] }
  }
}

extension DiffusersModel {
  /// The IR of a function, after checking that every tensor of the part is used or explained.
  ///
  /// - Parameter measured: layers whose inputs' second moments become results.
  /// - Throws: `FormatError` for files, `Diagnostic` for configs and tensors that do not fit.
  package func program(
    _ function: ModelFunction, measuring measured: MeasuredLayers? = nil
  ) throws -> ModelProgram {
    let files = try weights(function.component).files
    var own = try networkWeights(function.component)
    own.hooks.measured = measured
    let graph: Graph
    switch function {
    case .textEncoder(let shape):
      graph = try textEncoder().graph(shape, &own)
    case .unet(let shape):
      graph = try unet().graph(shape, &own)
    case .vaeEncoder(let batch, let height, let width, let seamless):
      graph = try vae().encoder(batch: batch, height: height, width: width, seamless: seamless, &own)
    case .vaeDecoder(let batch, let height, let width, let seamless):
      graph = try vae().decoder(batch: batch, height: height, width: width, seamless: seamless, &own)
    }
    let additions = additions(function.component)
    return ModelProgram(
      module: Module(
        weights: files.declarations + additions.map(\.declaration), graphs: [graph]),
      files: files,
      additions: Dictionary(
        uniqueKeysWithValues: additions.map { ($0.declaration.name, $0.source) }),
      moments: own.hooks.moments.map(\.layers))
  }
}
