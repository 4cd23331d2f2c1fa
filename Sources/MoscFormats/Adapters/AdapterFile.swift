import Foundation

/// The adapters and concept words of a file, whatever program wrote it.
///
/// The families of adapters are the files of `Families`, the spellings of layers are `AdapterName`'s, and
/// scales that stand beside the tensors are `PEFTSettings`'. Every tensor is either part of a layer or a
/// word, or named in `leftovers`; a layer with a tensor that nothing reads is left out whole.
package struct AdapterFile: Sendable {
  /// The network a layer belongs to.
  package enum Network: String, CaseIterable, Hashable, Sendable {
    case textEncoder = "text"
    case unet
  }

  /// The change of one layer: `scale · up · down`.
  package struct Layer: Sendable {
    package var network: Network
    /// The layer's path with `_` in place of `.`: the one spelling all families share.
    package var key: String
    /// The names of the tensors in the file.
    package var names: [String]
    /// `[k,i]`, `[k,i,kh,kw]` or `[k,i·kh·kw]`.
    package var down: HostArray
    /// `[o,k]` or `[o,k,1,1]`.
    package var up: HostArray
    /// The multiplier at strength 1: alpha / rank, or alpha where the family means it so.
    package var scale: Float

    package init(
      network: Network, key: String, names: [String] = [], down: HostArray, up: HostArray,
      scale: Float
    ) {
      self.network = network
      self.key = key
      self.names = names
      self.down = down
      self.up = up
      self.scale = scale
    }

    /// The rank k.
    package var rank: Int { down.shape.first ?? 0 }
  }

  /// The change of one layer that is no product of two narrow factors.
  package struct WholeLayer: Sendable {
    package var network: Network
    package var key: String
    package var names: [String]
    package var change: any AdapterFamily
    /// The multiplier at strength 1.
    package var scale: Float
  }

  /// A concept word and its embeddings.
  package struct Word: Sendable {
    package var text: String
    /// `[rows, c]`.
    package var rows: HostArray
    /// Whether each cross-attention layer reads a row of its own; else the rows are tokens that follow one
    /// another. One row is both.
    package var isLayerwise: Bool

    package init(text: String, rows: HostArray, isLayerwise: Bool = true) {
      self.text = text
      self.rows = rows
      self.isLayerwise = isLayerwise
    }
  }

  package let path: String
  package private(set) var layers: [Layer] = []
  package private(set) var wholeLayers: [WholeLayer] = []
  package private(set) var words: [Word] = []
  /// Tensors that nothing here can use, each with the reason.
  package private(set) var leftovers: [(name: String, reason: String)] = []
  /// The family of models that the file says it is for, where that is not Stable Diffusion 1.x.
  package private(set) var base: String?
  /// The metadata of a safetensors file.
  package let metadata: [String: String]

  /// Reads a file of any family, or the folder that a training program made of it.
  package init(_ url: URL) throws(FormatError) {
    let url = try AdapterFolder.file(url)
    path = url.path
    var tensors: [(name: String, array: HostArray)] = []
    if Self.isSafetensors(url) {
      let file = try SafetensorsFile(url)
      metadata = file.metadata
      for entry in file.entries { tensors.append((entry.name, try file.array(entry.name))) }
    } else {
      let file = try TorchFile(url)
      metadata = [:]
      for (name, tensor) in file.tensors { tensors.append((name, tensor.array())) }
    }
    try read(tensors)
  }

  /// Layers and words that are in no file yet.
  ///
  /// - Parameter path: what error messages name.
  package init(
    path: String, layers: [Layer], wholeLayers: [WholeLayer] = [], words: [Word],
    metadata: [String: String] = [:]
  ) {
    self.path = path
    self.layers = layers
    self.wholeLayers = wholeLayers
    self.words = words
    self.metadata = metadata
  }

  /// The file with other keys for its layers.
  package func renamed(_ key: (Network, String) -> String) -> AdapterFile {
    var result = self
    for index in layers.indices {
      result.layers[index].key = key(layers[index].network, layers[index].key)
    }
    for index in wholeLayers.indices {
      result.wholeLayers[index].key = key(wholeLayers[index].network, wholeLayers[index].key)
    }
    return result
  }

  /// What to say of a layer whose shape is another one.
  package var misfitReason: String {
    "it was trained on another base" + (base.map { ", \($0)" } ?? "")
  }

  /// The name people use for the file: its own without the extension, or the folder's where all files are
  /// called alike.
  package var name: String {
    let url = URL(fileURLWithPath: path)
    let name = url.deletingPathExtension().lastPathComponent
    return AdapterFolder.stems.contains(name)
      ? url.deletingLastPathComponent().lastPathComponent : name
  }

  /// The number of layers.
  package var layerCount: Int {
    let narrow = Set(layers.map { "\($0.network) \($0.key)" })
    return narrow.union(wholeLayers.map { "\($0.network) \($0.key)" }).count
  }

  /// Torch files are zip archives or begin with a pickle; everything else must be safetensors.
  private static func isSafetensors(_ url: URL) -> Bool {
    guard !["pth", "pt", "bin", "ckpt"].contains(url.pathExtension.lowercased()) else {
      return false
    }
    guard let file = try? MappedFile(url) else { return true }
    return withExtendedLifetime(file) { !ZipArchive.isZip(file.bytes) }
  }

  // MARK: Reading

  private mutating func read(_ tensors: [(name: String, array: HostArray)]) throws(FormatError) {
    if try readInversion(tensors) { return }
    let settings = try PEFTSettings.all(path, metadata, names: tensors.map(\.name))
    var groups: [String: LayerTensors] = [:]
    var order: [String] = []
    var fallbacks: [Word] = []
    for (name, array) in tensors {
      switch AdapterName(name) {
      case .word(let text):
        words.append(Word(text: text, rows: try rows(name, array)))
      case .fallbackWord(let text):
        fallbacks.append(Word(text: text, rows: try rows(name, array), isLayerwise: false))
      case .layer(let layer, let part):
        if groups[layer.id] == nil {
          order.append(layer.id)
          groups[layer.id] = LayerTensors(path, layer, settings[layer.network])
        }
        try groups[layer.id]?.take(part, name, array)
      case .unsupported(let reason):
        leftovers.append((name, reason))
      }
    }
    // Rows for each layer say more than the mean that other programs read.
    for word in fallbacks where !words.contains(where: { $0.text == word.text }) {
      words.append(word)
    }
    for id in order {
      guard let group = groups[id] else { continue }
      do throws(AdapterFault) {
        try add(group)
      } catch {
        switch error {
        case .leftOut(let reason): leftovers += group.names.map { ($0, reason) }
        case .broken(let error): throw error
        }
      }
    }
    guard layerCount > 0 || !words.isEmpty || leftovers.contains(where: { Self.isLayer($0.name) })
    else { throw ForeignAdapter.error(path, tensors.map { ($0.name, $0.array.shape) }, metadata) }
    let shapes = tensors.map { ($0.name, $0.array.shape) }
    base = ForeignAdapter.base(shapes, metadata)
    // Some layers have the same names and shapes there, and mean something else.
    guard base == nil || base == ForeignAdapter.second else {
      throw ForeignAdapter.error(path, shapes, metadata)
    }
  }

  private static func isLayer(_ name: String) -> Bool {
    if case .layer = AdapterName(name) { true } else { false }
  }

  private mutating func add(_ group: LayerTensors) throws(AdapterFault) {
    let layer = group.layer
    // All of them before any is kept: a layer is read whole or not at all.
    var own: (narrow: [Layer], whole: [WholeLayer]) = ([], [])
    for (change, scale) in try AdapterFamilies.read(group) {
      if let (down, up) = try change.factors() {
        own.narrow.append(
          Layer(
            network: layer.network, key: layer.key, names: group.names, down: down, up: up,
            scale: scale))
      } else {
        own.whole.append(
          WholeLayer(
            network: layer.network, key: layer.key, names: group.names, change: change,
            scale: scale))
      }
    }
    layers += own.narrow
    wholeLayers += own.whole
  }

  private func rows(_ name: String, _ array: HostArray) throws(FormatError) -> HostArray {
    guard array.shape.count == 2 || array.shape.count == 1, array.count > 0, array.dtype.isFloat
    else {
      throw FormatError(
        path, "tensor \"\(name)\"",
        "is \(array.dtype.rawValue)\(array.shape), expected floats [rows, width]")
    }
    let floats = array.floats
    if let bad = floats.first(where: { !$0.isFinite }) {
      throw FormatError(path, "tensor \"\(name)\"", "holds \(bad), expected numbers")
    }
    return HostArray(floats, shape: array.shape.count == 1 ? [1, array.count] : array.shape)
  }

  /// Gives the word of an embedding another name, that of its file.
  package mutating func rename(word: String) {
    guard layers.isEmpty, words.count == 1, !words[0].isLayerwise else { return }
    words[0].text = word
  }

  /// Reads a file of textual inversion: the rows of one word, which the file's name or the tensor's spells.
  private mutating func readInversion(
    _ tensors: [(name: String, array: HostArray)]
  ) throws(FormatError) -> Bool {
    guard let found = TextualInversion(tensors.map { ($0.name, $0.array.shape) }, name) else {
      return false
    }
    for (name, array) in tensors where name == found.tensor {
      words.append(Word(text: found.word, rows: try rows(name, array), isLayerwise: false))
    }
    return true
  }
}
