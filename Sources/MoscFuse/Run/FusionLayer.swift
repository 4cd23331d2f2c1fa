import Foundation
import MoscFormats
import MoscIR
import MoscModel

/// A layer that some concept changes.
struct FusionLayer: Hashable, Sendable {
  /// What its inputs depend on.
  enum Stage: String, CaseIterable, Hashable, Sendable {
    case text
    /// Keys and values of text: their inputs are the text encoder's states.
    case crossAttention = "cross-attention"
    /// Everything else in the U-Net.
    case spatial
  }

  let network: AdapterFile.Network
  let path: String
  /// `[o,i]` or `[o,i,kh,kw]`.
  let shape: [Int]

  /// The key of adapters.
  var key: String { path.replacing(".", with: "_") }
  /// The name in files and reports.
  var id: String { LayerID(network, path).description }
  var out: Int { shape[0] }
  var depth: Int { shape.dropFirst().reduce(1, *) }
  /// Whether the layer reads one place at a time.
  var isPointwise: Bool { shape.dropFirst(2).allSatisfy { $0 == 1 } }

  var stage: Stage {
    if network == .textEncoder { return .text }
    let isContext = path.hasSuffix("attn2.to_k") || path.hasSuffix("attn2.to_v")
    return isContext ? .crossAttention : .spatial
  }
}

/// The layers of a fusion.
struct FusionLayers: Sendable {
  /// The layers whose change is solved for.
  let solved: [FusionLayer]
  /// Convolutions over several places: their changes are only added up.
  let summed: [FusionLayer]
  /// The cross-attention blocks in the order in which the U-Net runs them.
  private let blocks: [String]

  init(_ concepts: [FusionConcept], _ model: DiffusersModel) throws {
    var all: Set<FusionLayer> = []
    var blocks: [String] = []
    for network in AdapterFile.Network.allCases {
      let table = try model.layers(network.component)
      for layer in concepts.flatMap(\.file.layers) where layer.network == network {
        guard let known = table[layer.key] else { continue }
        all.insert(FusionLayer(network: network, path: known.path, shape: known.shape))
      }
      blocks += table.values.map(\.path).filter { $0.hasSuffix(".attn2.to_k") }
    }
    let ordered = all.sorted { $0.id < $1.id }
    solved = ordered.filter(\.isPointwise)
    summed = ordered.filter { !$0.isPointwise }
    self.blocks = blocks.map { String($0.dropLast(".to_k".count)) }
      .sorted { Self.place($0).lexicographicallyPrecedes(Self.place($1)) }
  }

  subscript(_ stage: FusionLayer.Stage) -> [FusionLayer] { solved.filter { $0.stage == stage } }

  /// The number of a layer of keys or values among the cross-attention layers.
  func contextNumber(_ layer: FusionLayer) -> Int {
    blocks.firstIndex { layer.path.hasPrefix("\($0).") } ?? 0
  }

  /// Down, middle, up, then by the numbers of the path.
  private static func place(_ path: String) -> [Int] {
    let part = path.hasPrefix("down") ? 0 : path.hasPrefix("mid") ? 1 : 2
    return [part] + path.split(separator: ".").compactMap { Int($0) }
  }
}
