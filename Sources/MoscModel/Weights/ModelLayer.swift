import Foundation
import MoscFormats

/// A layer that adapters can change.
package struct ModelLayer: Hashable, Sendable {
  package var path: String
  /// `[o,i]` or `[o,i,kh,kw]`.
  package var shape: [Int]
}

extension DiffusersModel {
  /// The layers of a part that read inputs, by path with `_` for `.`; tables of embeddings are none.
  package func layers(_ component: Component) throws -> [String: ModelLayer] {
    var result: [String: ModelLayer] = [:]
    for (name, shape) in try requests(component).shapes
    where name.hasSuffix(".weight") && shape.count >= 2 && !name.hasSuffix("_embedding.weight") {
      let path = String(name.dropLast(".weight".count))
      result[path.replacing(".", with: "_")] = ModelLayer(path: path, shape: shape)
    }
    return result
  }
}

/// The factors of a layer's change, in the layout of the layer's weight, their rank rounded up.
struct LowRankFactors {
  let down: HostArray
  let up: HostArray
  let rank: Int

  init(_ layer: AdapterFile.Layer, _ target: ModelLayer, _ file: AdapterFile) throws(FormatError) {
    let (out, depth) = (target.shape[0], target.shape.dropFirst().reduce(1, *))
    let isPointwise = target.shape.dropFirst(2).allSatisfy { $0 == 1 }
    let sameKernel = layer.down.shape.dropFirst(2).elementsEqual(target.shape.dropFirst(2))
    // Some families have the kernel in the rows of one matrix.
    let isFlat = layer.down.shape.count == 2 && layer.down.shape[1] == depth
    guard layer.down.count == layer.rank * depth, layer.up.count == out * layer.rank,
      isFlat || (sameKernel || isPointwise) && layer.down.shape[1] == target.shape[1]
    else {
      throw FormatError(
        file.path, "tensor \"\(layer.names[0])\"",
        "the adapter is for a layer \(layer.up.shape[0])x\(layer.down.shape.dropFirst()), the model's "
          + "'\(target.path)' has shape \(target.shape); \(file.misfitReason)")
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
