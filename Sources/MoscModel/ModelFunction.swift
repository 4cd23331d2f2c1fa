import MoscFormats
import MoscIR

/// A function of a model, as `mosc run` and `mosc compile` name it, with its sizes.
package enum ModelFunction: Hashable, Sendable {
  case textEncoder(TextEncoder.Shape)
  case unet(UNet.Shape)
  /// Height and width in pixels.
  case vaeEncoder(batch: Int, height: Int, width: Int)
  /// Height and width in latent pixels.
  case vaeDecoder(batch: Int, height: Int, width: Int)

  /// The part of the model whose weights it reads.
  package var component: DiffusersModel.Component {
    switch self {
    case .textEncoder: .textEncoder
    case .unet: .unet
    case .vaeEncoder, .vaeDecoder: .vae
    }
  }
}

/// A module of one function, with the mapped files that its `param` ops refer to.
package struct ModelProgram: Sendable {
  package var module: Module
  package var files: ComponentFiles
  /// What adapters add, by declaration.
  package var additions: [String: any WeightSource] = [:]
  /// The paths of the layers whose inputs' second moments are the result `moments.N`.
  package var moments: [[String]] = []

  /// The function.
  package var function: Graph { module.graphs[0] }

  /// The mapped file behind a declaration.
  package func file(_ source: String) -> SafetensorsFile? {
    files.declarations.firstIndex { $0.name == source }.map { files.files[$0] }
  }
}

extension DiffusersModel {
  /// The IR of a function, after checking that every tensor of the part is used or explained.
  ///
  /// - Parameter measured: the paths of layers whose inputs' second moments become results.
  /// - Throws: `FormatError` for files, `Diagnostic` for configs and tensors that do not fit.
  package func program(
    _ function: ModelFunction, measuring measured: Set<String> = []
  ) throws -> ModelProgram {
    let files = try files(function.component)
    var checkpoint = try checkpoint(function.component, files)
    try verify(function.component, &checkpoint)
    checkpoint.measured = measured
    // Thousands of rows of a U-Net average rounding out; the few of a prompt are solved to the last bit.
    if function.component == .unet { checkpoint.momentChunk = 64 }
    let graph: Graph
    switch function {
    case .textEncoder(let shape):
      graph = try textEncoder().graph(shape, &checkpoint)
    case .unet(let shape):
      graph = try unet().graph(shape, &checkpoint)
    case .vaeEncoder(let batch, let height, let width):
      graph = try vae().encoder(batch: batch, height: height, width: width, &checkpoint)
    case .vaeDecoder(let batch, let height, let width):
      graph = try vae().decoder(batch: batch, height: height, width: width, &checkpoint)
    }
    let additions = additions(function.component)
    return ModelProgram(
      module: Module(
        weights: files.declarations + additions.map(\.declaration), graphs: [graph]),
      files: files,
      additions: Dictionary(
        uniqueKeysWithValues: additions.map { ($0.declaration.name, $0.source) }),
      moments: checkpoint.moments.map(\.layers))
  }

  /// Checks that config and tensors of a part fit each other, all functions of it together.
  package func verify(
    _ component: Component, _ checkpoint: inout Checkpoint
  ) throws {
    var recording = Checkpoint(recording: component.rawValue)
    try request(component, &recording)
    checkpoint.anticipate(recording.expected.keys)
    try request(component, &checkpoint)
    try checkpoint.finish()
  }

  /// Builds every function of a part at its smallest size, for the tensors it asks for.
  func request(_ component: Component, _ checkpoint: inout Checkpoint) throws {
    switch component {
    case .textEncoder:
      _ = try textEncoder().graph(TextEncoder.Shape(tokens: 1), &checkpoint)
    case .unet:
      _ = try unet().graph(UNet.Shape(height: 1, width: 1, tokens: 1), &checkpoint)
    case .vae:
      let vae = try vae()
      let side = vae.config.downsampling
      _ = try vae.encoder(height: side, width: side, &checkpoint)
      _ = try vae.decoder(height: 1, width: 1, &checkpoint)
    }
  }
}
