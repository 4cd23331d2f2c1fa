import Foundation

/// The low-rank adapters and concept words of a file, whatever program wrote it.
///
/// Read are Mix-of-Show ED-LoRA (`.pth`, both generations of key names), kohya and diffusers/PEFT
/// safetensors with their older spellings, and this program's own concept files. Every tensor is
/// either part of a layer or a word, or named in `leftovers`.
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
    /// `[k,i]` or `[k,i,kh,kw]`.
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

  /// A concept word and its embeddings: one row for all cross-attention layers, or one for each.
  package struct Word: Sendable {
    package var text: String
    /// `[rows, c]`.
    package var rows: HostArray

    package init(text: String, rows: HostArray) {
      self.text = text
      self.rows = rows
    }
  }

  package let path: String
  package private(set) var layers: [Layer] = []
  package private(set) var words: [Word] = []
  /// Tensors that nothing here can use, each with the reason.
  package private(set) var leftovers: [(name: String, reason: String)] = []
  /// The metadata of a safetensors file.
  package let metadata: [String: String]

  /// Reads a file of any family.
  package init(_ url: URL) throws(FormatError) {
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
  package init(path: String, layers: [Layer], words: [Word], metadata: [String: String] = [:]) {
    self.path = path
    self.layers = layers
    self.words = words
    self.metadata = metadata
  }

  /// The name people use for the file: its own without the extension.
  package var name: String { URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent }

  /// Torch files are zip archives or begin with a pickle; everything else must be safetensors.
  private static func isSafetensors(_ url: URL) -> Bool {
    guard !["pth", "pt", "bin", "ckpt"].contains(url.pathExtension.lowercased()) else {
      return false
    }
    guard let file = try? MappedFile(url) else { return true }
    return withExtendedLifetime(file) { !ZipArchive.isZip(file.bytes) }
  }

  private mutating func read(_ tensors: [(name: String, array: HostArray)]) throws(FormatError) {
    var parts: [String: Parts] = [:]
    var order: [String] = []
    var fallbacks: [Word] = []
    for (name, array) in tensors {
      guard array.dtype.isFloat else {
        leftovers.append((name, "is \(array.dtype.rawValue), expected floating-point numbers"))
        continue
      }
      switch AdapterKey(name) {
      case .word(let text):
        words.append(Word(text: text, rows: try rows(name, array)))
      case .fallbackWord(let text):
        fallbacks.append(Word(text: text, rows: try rows(name, array)))
      case .layer(let network, let key, let role):
        let id = "\(network.rawValue) \(key)"
        if parts[id] == nil {
          order.append(id)
          parts[id] = Parts(network: network, key: key)
        }
        try parts[id]?.take(role, name, array, path)
      case .unsupported(let reason):
        leftovers.append((name, reason))
      }
    }
    // Rows for each layer say more than the mean that other programs read.
    for word in fallbacks where !words.contains(where: { $0.text == word.text }) {
      words.append(word)
    }
    for id in order {
      guard let part = parts[id] else { continue }
      switch try part.layer(path, alphas: alphas(part.network)) {
      case .success(let layer): layers.append(layer)
      case .failure(let missing):
        leftovers += part.names.map { ($0, missing.reason) }
      }
    }
    guard !layers.isEmpty || !words.isEmpty else {
      throw FormatError(
        path, nil, "holds no adapter and no concept word; its \(tensors.count) tensors begin with "
          + "'\(tensors.first?.name ?? "nothing")'")
    }
  }

  private func rows(_ name: String, _ array: HostArray) throws(FormatError) -> HostArray {
    guard array.shape.count == 2 || array.shape.count == 1, array.count > 0 else {
      throw FormatError(
        path, "tensor \"\(name)\"", "has shape \(array.shape), expected [rows, width]")
    }
    let floats = array.floats
    try checkFinite(floats, name)
    return HostArray(floats, shape: array.shape.count == 1 ? [1, array.count] : array.shape)
  }

  private func checkFinite(_ values: [Float], _ name: String) throws(FormatError) {
    if let bad = values.first(where: { !$0.isFinite }) {
      throw FormatError(path, "tensor \"\(name)\"", "holds \(bad), expected numbers")
    }
  }

  /// `lora_alpha / r` of PEFT's metadata, where files carry it instead of alpha tensors.
  private func alphas(_ network: Network) -> Float? {
    guard let text = metadata["lora_adapter_metadata"],
      let value = try? JSONValue.parse(Array(text.utf8), path: path)
    else { return nil }
    let prefix = network == .unet ? "unet" : "text_encoder"
    guard let alpha = value["\(prefix).lora_alpha"]?.double, let rank = value["\(prefix).r"]?.double,
      rank > 0
    else { return nil }
    return Float(alpha / rank)
  }

  /// The tensors of one layer as they come in.
  private struct Parts {
    struct Missing: Error { var reason: String }

    var network: Network
    var key: String
    var names: [String] = []
    var down: (name: String, array: HostArray)?
    var up: (name: String, array: HostArray)?
    var alpha: Float?
    /// Whether alpha is the multiplier itself.
    var isDirect = false

    init(network: Network, key: String) {
      self.network = network
      self.key = key
    }

    mutating func take(
      _ role: AdapterKey.Role, _ name: String, _ array: HostArray, _ path: String
    ) throws(FormatError) {
      let isTaken: Bool
      switch role {
      case .down(let direct):
        isTaken = down != nil
        down = (name, array)
        isDirect = direct
      case .up:
        isTaken = up != nil
        up = (name, array)
      case .alpha:
        isTaken = alpha != nil
        guard array.count == 1, let value = array.floats.first, value.isFinite else {
          throw FormatError(
            path, "tensor \"\(name)\"", "has shape \(array.shape), expected one finite number")
        }
        alpha = value
      }
      if isTaken {
        throw FormatError(path, "tensor \"\(name)\"", "is there twice, as \(names[0]) too")
      }
      names.append(name)
    }

    func layer(_ path: String, alphas: Float?) throws(FormatError) -> Result<Layer, Missing> {
      guard let down else { return .failure(Missing(reason: "its lora_down is missing")) }
      guard let up else { return .failure(Missing(reason: "its lora_up is missing")) }
      let (d, u) = (down.array.shape, up.array.shape)
      guard d.count == u.count, d.count == 2 || d.count == 4, d[0] == u[1], d[0] > 0,
        u.dropFirst(2).allSatisfy({ $0 == 1 })
      else {
        throw FormatError(
          path, "tensor \"\(down.name)\"",
          "has shape \(d) beside \(u) of '\(up.name)', expected [k, in] and [out, k]")
      }
      for (name, array) in [down, up] {
        if let bad = array.floats.first(where: { !$0.isFinite }) {
          throw FormatError(path, "tensor \"\(name)\"", "holds \(bad), expected numbers")
        }
      }
      let rank = Float(d[0])
      let scale = isDirect ? alpha ?? 1 : alpha.map { $0 / rank } ?? alphas ?? 1
      return .success(
        Layer(
          network: network, key: key, names: names,
          down: HostArray(down.array.floats, shape: d), up: HostArray(up.array.floats, shape: u),
          scale: scale))
    }
  }
}
