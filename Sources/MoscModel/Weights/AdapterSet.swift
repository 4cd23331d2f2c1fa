import Foundation
import MoscFormats
import MoscIR

/// How strongly an adapter changes each network; 1 is as trained.
package struct AdapterStrength: Hashable, Sendable {
  package var textEncoder: Float
  package var unet: Float

  package init(textEncoder: Float = 1, unet: Float = 1) {
    self.textEncoder = textEncoder
    self.unet = unet
  }
}

/// Adapters matched to the layers of a model, and the concept words they bring.
///
/// Numbers never enter the IR: strengths, like the low-rank factors, are tensors of a store, and
/// ranks are rounded up to a power of two with zeros. So a change of strength, or of the adapter,
/// compiles to the same kernels.
package struct AdapterSet: Sendable {
  /// An adapter's layers in the model.
  package struct Adapter: Sendable {
    package let name: String
    package let store: TensorStore
    package let declaration: WeightsDeclaration
    /// The ranks of the layers by path, per part of the model, rounded up as the tensors are.
    package let ranks: [DiffusersModel.Component: [String: Int]]
    /// The ranks in the file by name of the tensors, such as `unet.conv_in`.
    package let fileRanks: [String: Int]
    /// Layers in the file.
    package let total: Int
    /// Tensors and layers that found no place, with the reason.
    package let unmatched: [(name: String, reason: String)]

    /// The number of layers applied to a part.
    package func applied(_ component: DiffusersModel.Component) -> Int {
      ranks[component]?.count ?? 0
    }

    /// One line such as `applied 264/264 (text 72, unet 192)`.
    package var summary: String {
      let (text, unet) = (applied(.textEncoder), applied(.unet))
      return "\(name): applied \(text + unet)/\(total) (text \(text), unet \(unet))"
    }
  }

  package private(set) var adapters: [Adapter] = []
  /// The words of the adapters; their tokens follow those of the model.
  package private(set) var words: [ConceptWord] = []
  /// The embeddings of the words' tokens in order, `[tokens, c]`, under the name `rowsName`.
  package private(set) var rows: (store: TensorStore, count: Int)?

  /// The name of the tensor of the rows.
  package static let rowsName = "token_rows"
  /// The declaration of the rows.
  package static let rowsDeclaration = WeightsDeclaration(name: "concepts", path: "concepts")

  /// No adapters.
  package init() {}

  /// Matches files to the layers of a model.
  ///
  /// - Throws: for layers of another shape, words that are there twice, rows of another width.
  package init(
    _ files: [(file: AdapterFile, strength: AdapterStrength)], _ model: DiffusersModel
  ) throws {
    let layers = try [DiffusersModel.Component.unet, .textEncoder].map {
      ($0, try model.layers($0))
    }
    let table = Dictionary(uniqueKeysWithValues: layers)
    for (number, (file, strength)) in files.enumerated() {
      adapters.append(try Self.match(file, strength, number + 1, table))
    }
    try addWords(files.map(\.file), model)
  }

  private static func match(
    _ file: AdapterFile, _ strength: AdapterStrength, _ number: Int,
    _ table: [DiffusersModel.Component: [String: ModelLayer]]
  ) throws -> Adapter {
    var tensors: [(String, HostArray)] = []
    var ranks: [DiffusersModel.Component: [String: Int]] = [:]
    var fileRanks: [String: Int] = [:]
    var unmatched = file.leftovers
    for layer in file.layers {
      let component: DiffusersModel.Component =
        layer.network == .unet ? .unet : .textEncoder
      let known = table[component] ?? [:]
      guard let target = known[layer.key] else {
        let nearest = NearestName.suggest(layer.key, in: known.keys.sorted())
        let hint =
          nearest.flatMap { known[$0] }.map { "; the nearest layer is '\($0.path)'" } ?? ""
        unmatched += layer.names.map {
          ($0, "the \(component.rawValue) has no such layer\(hint)")
        }
        continue
      }
      let fitted = try LowRankFactors(layer, target, file.path)
      let factor = layer.network == .unet ? strength.unet : strength.textEncoder
      tensors += [
        ("\(component.rawValue).\(target.path).lora_down", fitted.down),
        ("\(component.rawValue).\(target.path).lora_up", fitted.up),
        ("\(component.rawValue).\(target.path).scale", HostArray([layer.scale * factor], shape: [1])),
      ]
      ranks[component, default: [:]][target.path] = fitted.rank
      fileRanks["\(component.rawValue).\(target.path)"] = layer.rank
    }
    return Adapter(
      name: file.name, store: TensorStore(file.path, tensors),
      declaration: WeightsDeclaration(name: "adapter_\(number)", path: file.path),
      ranks: ranks, fileRanks: fileRanks, total: file.layers.count + file.leftovers.count, unmatched: unmatched)
  }

  private mutating func addWords(_ files: [AdapterFile], _ model: DiffusersModel) throws {
    let known = try model.conceptWords()
    var owners = Dictionary(
      known.map { ($0.text, model.folder.path) }, uniquingKeysWith: { first, _ in first })
    let width = try model.textEncoder().config.width
    let layers = try model.unet().config.crossAttentionLayers
    var next = try model.nextToken()
    var values: [Float] = []
    for file in files {
      for word in file.words {
        if let other = owners.updateValue(file.path, forKey: word.text) {
          throw FormatError(
            file.path, "word \"\(word.text)\"", "is a word of '\(other)' too; rename one of them")
        }
        let count = word.rows.shape[0]
        guard word.rows.shape[1] == width else {
          throw FormatError(
            file.path, "word \"\(word.text)\"",
            "has embeddings of width \(word.rows.shape[1]), the model's text encoder has \(width); "
              + "it was trained on another base")
        }
        guard count == 1 || count == layers else {
          throw FormatError(
            file.path, "word \"\(word.text)\"",
            "has \(count) rows, expected 1, or \(layers) for the cross-attention layers")
        }
        // Tokens are numbered as the reference names them, however many the model has.
        let first = values.count / width + known.reduce(0) { $0 + $1.tokenIDs.count }
        words.append(
          ConceptWord(
            word.text, tokenNames: (0..<count).map { "<new\(first + $0)>" },
            tokenIDs: (0..<count).map { Int32(next + $0) }))
        next += count
        values += word.rows.floats
      }
    }
    if !values.isEmpty {
      let count = values.count / width
      let array = HostArray(values, shape: [count, width])
      rows = (TensorStore(Self.rowsDeclaration.path, [(Self.rowsName, array)]), count)
    }
  }
}

/// A layer that adapters can change.
package struct ModelLayer: Hashable, Sendable {
  package var path: String
  /// `[o,i]` or `[o,i,kh,kw]`.
  package var shape: [Int]
}

/// The factors of a layer's change, in the layout of the layer's weight, their rank rounded up.
private struct LowRankFactors {
  let down: HostArray
  let up: HostArray
  let rank: Int

  init(_ layer: AdapterFile.Layer, _ target: ModelLayer, _ path: String) throws(FormatError) {
    let (out, depth) = (target.shape[0], target.shape.dropFirst().reduce(1, *))
    let isPointwise = target.shape.dropFirst(2).allSatisfy { $0 == 1 }
    let sameKernel = layer.down.shape.dropFirst(2).elementsEqual(target.shape.dropFirst(2))
    guard layer.down.count == layer.rank * depth, layer.up.count == out * layer.rank,
      sameKernel || isPointwise, layer.down.shape[1] == target.shape[1]
    else {
      throw FormatError(
        path, "tensor \"\(layer.names[0])\"",
        "the adapter is for a layer \(layer.up.shape[0])x\(layer.down.shape.dropFirst()), the model's "
          + "'\(target.path)' has shape \(target.shape); it was trained on another base")
    }
    var rank = 4
    while rank < layer.rank { rank *= 2 }
    let (oldDown, oldUp) = (layer.down.floats, layer.up.floats)
    var down = [Float](repeating: 0, count: rank * depth)
    down.replaceSubrange(0..<oldDown.count, with: oldDown)
    var up = [Float](repeating: 0, count: out * rank)
    for row in 0..<out {
      for k in 0..<layer.rank { up[row * rank + k] = oldUp[row * layer.rank + k] }
    }
    let ones = [Int](repeating: 1, count: target.shape.count - 2)
    self.down = HostArray(down, shape: [rank] + target.shape.dropFirst())
    self.up = HostArray(up, shape: [out, rank] + ones)
    self.rank = rank
  }
}

extension DiffusersModel {
  /// The layers of a part by path with `_` for `.`.
  package func layers(_ component: Component) throws -> [String: ModelLayer] {
    var recording = Checkpoint(recording: component.rawValue)
    try request(component, &recording)
    var result: [String: ModelLayer] = [:]
    for (name, shape) in recording.expected where name.hasSuffix(".weight") && shape.count >= 2 {
      let path = String(name.dropLast(".weight".count))
      result[path.replacing(".", with: "_")] = ModelLayer(path: path, shape: shape)
    }
    return result
  }

  /// The concept words of a fused model's folder; none for other models.
  package func conceptWords() throws -> [ConceptWord] {
    let file = folder.appending(path: "new_concept_cfg.json")
    guard FileManager.default.fileExists(atPath: file.path) else { return [] }
    return try ConceptWord.read(try JSONObject(contentsOf: file))
  }

  /// The embedding of a token.
  ///
  /// - Throws: `FormatError` when the text encoder's files hold no table of that size.
  package func tokenRow(_ id: Int) throws -> [Float] {
    let name = "text_model.embeddings.token_embedding.weight"
    let names = [name] + TextEncoder.spellings.compactMap { $0.applied(to: name) }
    let files = try files(.textEncoder).files
    for file in files {
      for name in names where file[name] != nil {
        guard let tensor = file.weight(name), tensor.shape.count == 2, id < tensor.shape[0] else {
          throw FormatError(
            file.url.path, "tensor \"\(name)\"", "has no row \(id), which the tokenizer names")
        }
        let size = tensor.shape[1] * tensor.dtype.byteSize
        return withExtendedLifetime(file) {
          ElementType.floats(
            UnsafeRawBufferPointer(rebasing: tensor.bytes[id * size..<(id + 1) * size]),
            tensor.dtype)
        }
      }
    }
    throw FormatError(
      files.first?.url.path ?? folder.path, nil, "holds no tensor \"\(name)\"")
  }

  /// The first token id that neither tokenizer nor text encoder uses.
  package func nextToken() throws -> Int {
    let tokenizer = try CLIPTokenizer(folder: tokenizerFolder)
    return max(Int(tokenizer.nextID), try textEncoder().config.vocabulary)
  }
}
