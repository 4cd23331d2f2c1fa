import Foundation
import MoscFormats
import MoscIR

/// How strongly an adapter changes each network; 1 is as trained.
package struct AdapterStrength: Hashable, Sendable {
  package var textEncoder: Float
  package var unet: Float
  /// What multiplies them block by block.
  package var blocks: BlockWeights?

  package init(textEncoder: Float = 1, unet: Float = 1, blocks: BlockWeights? = nil) {
    (self.textEncoder, self.unet, self.blocks) = (textEncoder, unet, blocks)
  }

  /// The strength in a network.
  package subscript(network: AdapterFile.Network) -> Float {
    switch network {
    case .textEncoder: textEncoder
    case .unet: unet
    }
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
    package let store: any WeightSource
    package let declaration: WeightsDeclaration
    /// What the file says of itself.
    package let metadata: [String: String]
    /// The ranks of the layers, rounded up as the tensors are.
    package let ranks: [LayerID: Int]
    /// The ranks in the file.
    package let fileRanks: [LayerID: Int]
    /// The tensors that are changed by sums of their own shape, named by their whole paths.
    package let changes: Set<LayerID>
    /// The layers of those tensors.
    package let changedLayers: Set<LayerID>
    /// Layers in the file.
    package let total: Int
    /// Tensors and layers that found no place, with the reason.
    package let unmatched: [(name: String, reason: String)]

    /// The number of layers applied to a part.
    package func applied(_ component: DiffusersModel.Component) -> Int {
      changedLayers.union(ranks.keys).count { $0.network == component.network }
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
  /// The embeddings of the words' tokens in order, `[tokens, c]`, as `AdapterTensor.tokenRows`.
  package private(set) var rows: (store: TensorStore, tokens: Range<Int>)?

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
    let layers = try AdapterFile.Network.allCases.map { ($0, try model.layers($0.component)) }
    let table = Dictionary(uniqueKeysWithValues: layers)
    for (number, (file, strength)) in files.enumerated() {
      adapters.append(try Self.match(try model.spelled(file), strength, number + 1, table, model))
    }
    try addWords(files.map(\.file), model)
  }

  /// The set with some of its adapters only; all words stay.
  package func keeping(_ indices: [Int]) -> AdapterSet {
    var result = self
    result.adapters = indices.map { adapters[$0] }
    return result
  }

  private static func match(
    _ file: AdapterFile, _ strength: AdapterStrength, _ number: Int,
    _ table: [AdapterFile.Network: [String: ModelLayer]], _ model: DiffusersModel
  ) throws -> Adapter {
    var tensors: [(String, HostArray)] = []
    var ranks: [LayerID: Int] = [:]
    var fileRanks: [LayerID: Int] = [:]
    var unmatched = file.leftovers
    let names = LDMNames(try model.unet().config)
    for layer in file.layers {
      let known = table[layer.network] ?? [:]
      guard let target = known[layer.key] else {
        let nearest = NearestName.suggest(layer.key, in: known.keys.sorted())
        let hint =
          file.base.map { "; the file is for \($0)" }
          ?? nearest.flatMap { known[$0] }.map { "; the nearest layer is '\($0.path)'" } ?? ""
        unmatched += layer.names.map {
          ($0, "the \(layer.network.component.rawValue) has no such layer\(hint)")
        }
        continue
      }
      let fitted = try LowRankFactors(layer, target, file)
      let id = LayerID(layer.network, target.path)
      guard ranks[id] == nil else {
        throw FormatError(file.path, "layer '\(id.path)'", "is there twice, under two names")
      }
      let scale = HostArray([layer.scale * strength.strength(id, names)], shape: [1])
      tensors += [
        (AdapterTensor.factor(id, .down).name, fitted.down),
        (AdapterTensor.factor(id, .up).name, fitted.up), (AdapterTensor.scale(id).name, scale),
      ]
      ranks[id] = fitted.rank
      fileRanks[id] = layer.rank
    }
    let whole = try WholeChanges(file.wholeLayers, path: file.path, strength, model)
    tensors += whole.tensors
    unmatched += whole.unmatched
    return Adapter(
      name: file.name, store: try LazyTensors(
        TensorStore(file.path, tensors), whole.changed, from: try source(file, model)),
      declaration: WeightsDeclaration(name: "adapter_\(number)", path: file.path),
      metadata: file.metadata, ranks: ranks, fileRanks: fileRanks, changes: whole.changes, changedLayers: whole.layers,
      total: file.layerCount + file.leftovers.count, unmatched: unmatched)
  }

  /// What tells the numbers of a file's changes of the model's own tensors from any others.
  private static func source(_ file: AdapterFile, _ model: DiffusersModel) throws -> String? {
    if file.wholeLayers.isEmpty { return nil }
    var parts = [try? MappedFile(URL(fileURLWithPath: file.path)).identity]
    for network in Set(file.wholeLayers.map(\.network)).sorted(by: { $0.rawValue < $1.rawValue }) {
      parts += try model.files(network.component).files.map(\.identity)
    }
    let known = parts.compactMap { $0 }
    return known.count == parts.count ? known.joined(separator: " ") : nil
  }

  /// A word with more vectors leaves no room in a prompt for another.
  private static let mostVectors = 75

  private mutating func addWords(_ files: [AdapterFile], _ model: DiffusersModel) throws {
    let known = try model.conceptWords()
    var owners = Dictionary(
      known.map { ($0.text, model.url.path) }, uniquingKeysWith: { first, _ in first })
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
        guard word.isLayerwise ? count == 1 || count == layers : count <= Self.mostVectors else {
          throw FormatError(
            file.path, "word \"\(word.text)\"",
            word.isLayerwise
              ? "has \(count) rows, expected 1, or \(layers) for the cross-attention layers"
              : "has \(count) vectors, expected at most \(Self.mostVectors)")
        }
        // Tokens are numbered as the reference names them, however many the model has.
        let first = values.count / width + known.reduce(0) { $0 + $1.tokenIDs.count }
        words.append(
          ConceptWord(
            word.text, tokenNames: (0..<count).map { "<new\(first + $0)>" },
            tokenIDs: (0..<count).map { Int32(next + $0) }, isLayerwise: word.isLayerwise))
        next += count
        values += word.rows.floats
      }
    }
    if !values.isEmpty {
      let count = values.count / width
      let array = HostArray(values, shape: [count, width])
      rows = (
        TensorStore(Self.rowsDeclaration.path, [(AdapterTensor.tokenRows.name, array)]),
        next - count..<next
      )
    }
  }
}

extension DiffusersModel {
  /// The present values of a tensor that adapters bring.
  package func adapterTensor(_ name: String) -> HostArray? {
    let rows: [any WeightSource] = adapters.rows.map { [$0.store] } ?? []
    for store in adapters.adapters.map(\.store) + rows {
      guard let tensor = store.weight(name) else { continue }
      defer { store.dropPages(of: name) }
      return HostArray(
        dtype: tensor.dtype, shape: tensor.shape, bytes: [UInt8](tensor.bytes))
    }
    return nil
  }
}
