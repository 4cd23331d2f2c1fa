import MoscFormats
import MoscIR

/// Adapters that act in parts of a picture: one low-rank branch per layer of the U-Net, whose
/// coefficients are gated.
///
/// Every adapter has a slot of equally many coefficients in a layer, those that the layer's widest adapter
/// needs; there are 1, 2, 4, 8, … slots. What is left over is zeros, so another adapter of the same
/// bucket of ranks, another strength and one more adapter that still has a slot run the same kernels.
/// Factors hold strength, alpha and rank: `up' = strength · α/k · up`.
package struct RegionalAdapters: Sendable {
  /// The adapters by slot.
  package let adapters: [AdapterSet.Adapter]
  /// The slots that each region carries.
  package let carried: [[Int]]
  /// The slots of a layer, a power of two.
  package let slots: Int
  /// The coefficients of a slot, by path of the layer.
  package let ranks: [String: Int]
  /// The adapters of the whole picture and of all regions, whose words every prompt may hold.
  private let all: AdapterSet
  /// How many of those act everywhere.
  private let global: Int
  let store: TensorStore

  /// The least coefficients of a layer.
  private static let leastWidth = 16

  /// The declaration of the factors.
  static let declaration = WeightsDeclaration(name: "regional", path: "regional")

  /// - Parameters:
  ///   - all: the adapters of the whole picture, then those of regions.
  ///   - global: how many are for the whole picture.
  ///   - carried: for each region the adapters it carries, counted without those of the whole picture.
  /// - Throws: `FormatError` naming the file for an adapter that leaves the U-Net alone, and for changes that
  ///   belong to no position.
  package init(_ all: AdapterSet, global: Int, carried: [[Int]]) throws {
    (self.all, self.global, self.carried) = (all, global, carried)
    adapters = Array(all.adapters.dropFirst(global))
    slots = Self.bucket(adapters.count)
    var changes: [LayerID: [(slot: Int, factors: Factors)]] = [:]
    for (slot, adapter) in adapters.enumerated() {
      for (id, factors) in try Self.factors(adapter) {
        changes[id, default: []].append((slot, factors))
      }
    }
    var (ranks, tensors): ([String: Int], [(String, HostArray)]) = ([:], [])
    for (id, parts) in changes.sorted(by: { $0.key.path < $1.key.path }) {
      // Fewer coefficients than a vector has lanes are no cheaper.
      let rank = max(parts.map(\.factors.rank).max() ?? 0, Self.leastWidth / slots)
      ranks[id.path] = rank
      let joined = Self.joined(parts, slots: slots, rank: rank)
      tensors.append((AdapterTensor.factor(id, .down).name, joined.down))
      tensors.append((AdapterTensor.factor(id, .up).name, joined.up))
    }
    self.ranks = ranks
    store = TensorStore(Self.declaration.path, tensors)
  }

  /// Made-up adapters in regions side by side, one each, for measuring time: all linear layers and projections
  /// of the attention blocks, as most training programs change them.
  package init(madeUp count: Int, rank: Int, _ model: DiffusersModel) throws {
    (all, global, adapters) = (AdapterSet(), 0, [])
    carried = (0..<count).map { [$0] }
    slots = Self.bucket(count)
    let width = Self.bucket(max(rank, Self.leastWidth / slots))
    var (ranks, tensors): ([String: Int], [(String, HostArray)]) = ([:], [])
    for layer in try model.layers(.unet).values.sorted(by: { $0.path < $1.path })
    where layer.path.contains("attentions.") {
      let id = LayerID(.unet, layer.path)
      func values(_ shape: [Int]) -> HostArray {
        HostArray([Float](repeating: 1 / 64, count: shape.reduce(1, *)), shape: shape)
      }
      let ones = [Int](repeating: 1, count: layer.shape.count - 2)
      ranks[layer.path] = width
      tensors.append((AdapterTensor.factor(id, .down).name, values([slots * width] + layer.shape.dropFirst())))
      tensors.append((AdapterTensor.factor(id, .up).name, values([layer.shape[0], slots * width] + ones)))
    }
    self.ranks = ranks
    store = TensorStore(Self.declaration.path, tensors)
  }

  /// The next power of two, by which counts are rounded up.
  package static func bucket(_ count: Int) -> Int {
    var result = 1
    while result < count { result *= 2 }
    return result
  }

  /// The adapters under which the texts of a context are encoded: those of the whole picture and, but for
  /// context 0, of the region.
  package func textAdapters(ofContext context: Int) -> AdapterSet {
    let own = context > 0 && context <= carried.count ? carried[context - 1] : []
    return all.keeping(Array(0..<global) + own.map { global + $0 }.sorted())
  }

  /// The factors of a layer's change by one adapter, `[k,…]` and `[o,k]`.
  private struct Factors {
    var down: HostArray
    var up: [Float]
    var scale: Float
    var rank: Int { down.shape[0] }
  }

  private static func factors(_ adapter: AdapterSet.Adapter) throws -> [LayerID: Factors] {
    let place = adapter.declaration.path
    func array(_ tensor: AdapterTensor) throws -> HostArray {
      guard let found = adapter.store.weight(tensor.name) else {
        throw FormatError(place, "tensor '\(tensor.name)'", "is not there")
      }
      return HostArray(dtype: found.dtype, shape: found.shape, bytes: [UInt8](found.bytes))
    }
    var result: [LayerID: Factors] = [:]
    for id in adapter.ranks.keys where id.network == .unet {
      result[id] = Factors(
        down: try array(.factor(id, .down)), up: try array(.factor(id, .up)).floats,
        scale: try array(.scale(id)).floats[0])
    }
    for tensor in adapter.changes where tensor.network == .unet {
      let change = try array(.change(tensor))
      guard tensor.path.hasSuffix(".weight"), change.shape.count >= 2 else {
        throw FormatError(
          place, "tensor '\(tensor.path)'",
          "changes a bias or a normalisation, which has no branch; in a region only changes of layers' "
            + "weights can act, so give the adapter to the whole picture")
      }
      let id = LayerID(.unet, String(tensor.path.dropLast(".weight".count)))
      result[id] = dense(change, try array(.scale(tensor)).floats[0])
    }
    guard !result.isEmpty else {
      throw FormatError(
        place, nil,
        "changes no layer of the U-Net, so it cannot act in a region alone: give it to the whole picture "
          + "with --lora")
    }
    if let id = result.keys.filter({ $0.path.hasPrefix("time_embedding.") }).min(by: { $0.path < $1.path }) {
      throw FormatError(
        place, "layer '\(id.path)'",
        "belongs to no position of the picture, so the adapter cannot act in a region: give it to the whole "
          + "picture with --lora")
    }
    return result
  }

  /// A change without factors as a product with the identity, on the narrower side.
  private static func dense(_ change: HostArray, _ scale: Float) -> Factors {
    let (out, depth) = (change.shape[0], change.shape.dropFirst().reduce(1, *))
    // A convolution's taps belong to the factor that reads.
    let isPointwise = change.shape.dropFirst(2).allSatisfy { $0 == 1 }
    let rank = isPointwise ? min(out, depth) : out
    var identity = [Float](repeating: 0, count: rank * rank)
    for row in 0..<rank { identity[row * rank + row] = 1 }
    if rank == out {
      return Factors(
        down: HostArray(change.floats, shape: change.shape), up: identity, scale: scale)
    }
    return Factors(
      down: HostArray(identity, shape: [rank] + change.shape.dropFirst()), up: change.floats, scale: scale)
  }

  /// The factors of all slots, `[slots·k,…]` and `[o,slots·k]`.
  private static func joined(
    _ parts: [(slot: Int, factors: Factors)], slots: Int, rank: Int
  ) -> (down: HostArray, up: HostArray) {
    let shape = parts[0].factors.down.shape
    let depth = shape.dropFirst().reduce(1, *)
    let out = parts[0].factors.up.count / parts[0].factors.rank
    let width = slots * rank
    var down = [Float](repeating: 0, count: width * depth)
    var up = [Float](repeating: 0, count: out * width)
    for (slot, factors) in parts {
      let own = factors.rank
      down.replaceSubrange(
        slot * rank * depth..<(slot * rank + own) * depth, with: factors.down.floats)
      let scale = factors.scale
      up.withUnsafeMutableBufferPointer { target in
        factors.up.withUnsafeBufferPointer { source in
          for row in 0..<out {
            for k in 0..<own {
              target[row * width + slot * rank + k] = scale * source[row * own + k]
            }
          }
        }
      }
    }
    let ones = [Int](repeating: 1, count: shape.count - 2)
    return (
      HostArray(down, shape: [width] + shape.dropFirst()), HostArray(up, shape: [out, width] + ones)
    )
  }
}
