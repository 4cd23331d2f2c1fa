import MoscIR

/// Turns the weights of tiled layers into column panels: once, at load time, if they are known
/// then.
///
/// A weight `w` of a layer with a tile becomes `pack(w) : …@panelN` with the tile's columns as
/// panel width. Casts between the file's tensor and the layer are done by `pack` itself where
/// rounding stays the same. Layers that share a weight share its panels.
///
/// - Stage: tensor → tensor.  Needs: rates, tiles.
/// - Order: after `choose-kernels`, which decides the tiles; before `split-rates`.
package struct PackWeights: Pass {
  package static let name = "pack-weights"
  package static let stages = (from: Stage.tensor, to: Stage.tensor)

  package init(_ options: inout PassOptions) {}

  private struct Key: Hashable {
    var source: ValueID
    var type: TensorType
  }

  package func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      let graph = module.graphs[index]
      var packed: [Key: ValueID] = [:]
      var result = try graph.rebuilt { (id, operands, new) throws(Diagnostic) -> [ValueID]? in
        let node = graph[id]
        guard let tile = node.op.tile, new.type(operands[1]).layout == .dense else { return nil }
        let weight = new[operands[1]]
        let source = new.fileTensor(of: operands[1])
        let key = Key(
          source: source,
          type: TensorType(weight.type.dtype, weight.type.shape, layout: .panel(tile.columns)))
        if packed[key] == nil {
          let panels = try new.pack(
            source, dtype: weight.type.dtype, panel: tile.columns,
            name: "\(new[source].name).packed")
          new[panels].rate = weight.rate
          packed[key] = panels
          context.count("packed-per-\(weight.rate.name)")
        }
        guard let panels = packed[key] else { return nil }
        let old = graph[node.results[0]]
        let replaced = try new.emit(
          node.op, [operands[0], panels] + operands.dropFirst(2), name: old.name, rate: old.rate)
        return [replaced]
      }
      result.removeDeadNodes()
      module.graphs[index] = result
    }
  }
}

extension Graph {
  /// The value behind a chain of casts that equals one rounding to the chain's last type.
  func fileTensor(of weight: ValueID, as dtype: DType? = nil) -> ValueID {
    var value = weight
    var hasRounded = false
    while let producer = producer(value), case .cast = self[producer].op {
      let operand = self[producer].operands[0]
      let (from, to) = (type(operand).dtype, type(value).dtype)
      guard from.isFloat else { break }
      if !to.represents(from) {
        // Rounding twice differs from rounding once, and `pack` rounds to the final type only.
        guard !hasRounded, to == (dtype ?? type(weight).dtype) else { break }
        hasRounded = true
      }
      value = operand
    }
    return value
  }
}
