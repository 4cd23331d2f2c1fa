import Foundation
import MoscFormats
import MoscModel
import MoscRandom

/// A concept before its first step: factors whose product is zero, and the embeddings of its words.
///
/// `down` is uniform in ±1/√in (Kaiming with a = √5), `up` is zero. A word starts as one vector for
/// all layers: normal numbers, or the embedding of a word of the model. Source: Mix-of-Show,
/// `EDLoRATrainer`.
struct ConceptStart {
  let setup: TrainingSetup
  let model: DiffusersModel
  let seed: RunSeed

  /// The concept as a file would hold it.
  func adapter() throws -> AdapterFile {
    var layers: [AdapterFile.Layer] = []
    for (network, component, settings) in [
      (AdapterFile.Network.textEncoder, DiffusersModel.Component.textEncoder, setup.model.textEncoder),
      (.unet, .unet, setup.model.unet),
    ] {
      guard let settings else { continue }
      let known = try model.layers(component).values.sorted { $0.path < $1.path }
      for (index, layer) in known.enumerated() where settings.layers.include(layer.path) {
        layers.append(self.layer(layer, network, settings, index))
      }
    }
    return AdapterFile(path: "the new concept", layers: layers, words: try words())
  }

  private func layer(
    _ layer: ModelLayer, _ network: AdapterFile.Network, _ settings: LoRASettings, _ index: Int
  ) -> AdapterFile.Layer {
    let depth = layer.shape.dropFirst().reduce(1, *)
    var random = PythonRandom(seed: seed.generator(.factors, network == .unet ? 1 : 0, index))
    let bound = 1 / Double(depth).squareRoot()
    let down = (0..<settings.rank * depth).map { _ in Float((2 * random.random() - 1) * bound) }
    let ones = [Int](repeating: 1, count: layer.shape.count - 2)
    return AdapterFile.Layer(
      network: network, key: layer.path.replacing(".", with: "_"),
      down: HostArray(down, shape: [settings.rank] + layer.shape.dropFirst()),
      up: HostArray(
        [Float](repeating: 0, count: layer.shape[0] * settings.rank),
        shape: [layer.shape[0], settings.rank] + ones),
      scale: Float(settings.alpha))
  }

  private func words() throws -> [AdapterFile.Word] {
    let config = try model.textEncoder().config
    let rows = setup.model.isLayerwise ? try model.unet().config.crossAttentionLayers : 1
    let tokenizer = try model.tokenizer()
    return try setup.model.words.enumerated().map { index, word in
      var row: [Float]
      switch word.start {
      case .random(let deviation):
        var source = TorchRandomSource(seed: seed.generator(.words, index))
        row = source.normals(config.width).map { $0 * Float(deviation) }
      case .word(let text):
        row = try model.tokenRow(Int(tokenizer.tokens(text).first ?? 0))
      }
      let all = [[Float]](repeating: row, count: rows).flatMap { $0 }
      return AdapterFile.Word(text: word.text, rows: HostArray(all, shape: [rows, config.width]))
    }
  }
}

extension AdaptedLayers {
  /// Whether a layer gets a low-rank branch.
  func include(_ path: String) -> Bool {
    let attention = [
      ".to_q", ".to_k", ".to_v", ".to_out.0", ".q_proj", ".k_proj", ".v_proj", ".out_proj",
    ]
    let wide = [".ff.net.0.proj", ".ff.net.2", ".proj_in", ".proj_out", ".mlp.fc1", ".mlp.fc2"]
    switch self {
    case .attention: return attention.contains(where: path.hasSuffix)
    case .block: return (attention + wide).contains(where: path.hasSuffix)
    }
  }
}
