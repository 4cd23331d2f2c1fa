import MoscIR

/// Decides how each layer is computed and writes the decision into the graph.
///
/// - Group normalisations become statistics (`group_affine`) and an affine map that fuses.
/// - Adapter branches that were not folded become their layers.
/// - Convolutions read explicitly padded images, so that contraction kernels know no halo.
/// - With `precision: bf16`, inputs and weights of contractions, and factors of attention and its
///   gradient, are cast to bf16; results stay f32. Layers of few rows, few outputs, or few or oddly
///   many input channels stay f32.
/// - With `precision: q8`, inputs and weights of linear maps, 1×1 and Winograd convolutions are
///   rounded to 8 bits, with a scale per token (of a pixel, of a square's point) and per output
///   channel. What stays, and attention, is bf16 where the processor multiplies it, else f32.
/// - Attention gets blocks, and layers get a tile, but for those of few rows whose weights are not known at load: arranging
///   such weights anew each time would cost as much as the layer.
///
/// What already has a tile or blocks is left as it is, so a hand-written choice is kept.
///
/// - Stage: tensor → tensor.  Needs: rates.  Options: `precision=f32|bf16|q8`.
/// - Refuses: bf16 and q8 for the layers named above (`choose-kernels.precision`).
/// - Order: before `pack-weights`, which obeys the tiles, and before `fuse`.
package struct ChooseKernels: Pass {
  package static let name = "choose-kernels"
  package static let stages = (from: Stage.tensor, to: Stage.tensor)
  private let precision: DType?

  package init(_ options: inout PassOptions) throws(Diagnostic) {
    guard let text = options.take("precision") else {
      precision = nil
      return
    }
    guard let type = DType(rawValue: text), type.panelGroup != nil else {
      throw Diagnostic(
        "choose-kernels.option", "precision is '\(text)', expected 'f32', 'bf16' or 'q8'")
    }
    precision = type
  }

  package func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      let chooser = KernelChooser(precision: precision ?? context.precision, target: context.target)
      let layers = try Self.expandAdapters(module.graphs[index], &context)
      module.graphs[index] = try chooser.rewrite(layers, &context)
    }
  }

  /// Writes out adapter branches that were not folded, so that their layers are chosen too.
  private static func expandAdapters(
    _ graph: Graph, _ context: inout PassContext
  ) throws(Diagnostic) -> Graph {
    guard graph.order.contains(where: { graph[$0].op.mnemonic == Lora.mnemonic }) else {
      return graph
    }
    var result = try graph.rebuilt { (id, operands, new) throws(Diagnostic) -> [ValueID]? in
      guard case .lora(let lora) = graph[id].op else { return nil }
      let values = try lora.decompose(operands, in: &new)
      if let last = values.first { new.rename(last, graph[graph[id].results[0]].name) }
      context.count("adapters")
      return values
    }
    result.inferRates()
    return result
  }
}

/// Rewrites one function.
struct KernelChooser {
  let precision: DType
  let target: Target

  /// Padded and cast operands made so far, so that each is made once.
  private struct Made {
    struct Key: Hashable {
      var source: ValueID
      var dtype: DType
      var pad: Int
      var panel = 0
    }
    var values: [Key: ValueID] = [:]
  }

  /// The rows from which on it pays to pack a weight for one use: packing reads and writes each weight
  /// once, and a product of eight rows uses it eight times.
  static let rowsForPacking = 8

  init(precision: DType, target: Target) {
    self.precision = precision
    self.target = target
  }

  func rewrite(_ graph: Graph, _ context: inout PassContext) throws(Diagnostic) -> Graph {
    var made = Made()
    var result = try graph.rebuilt { (id, operands, new) throws(Diagnostic) -> [ValueID]? in
      let node = graph[id]
      let name = graph[node.results[0]].name
      switch node.op {
      case .groupNorm(let norm):
        context.count("group-norms")
        let replacement = try norm.decompose(operands, in: &new)
        if let last = replacement.first { new.rename(last, name) }
        return replacement
      case .linear(var linear):
        guard linear.tile == nil else { return nil }
        let dtype = contractionType(node, name, in: graph, &context)
        linear.tile = tile(node, dtype, in: graph)
        let inputs = [
          try prepared(operands[0], dtype, pad: 0, &new, &made),
          try weight(operands[1], dtype, linear.tile, &new, &made),
        ]
        return [try new.emit(.linear(linear), inputs + operands.dropFirst(2), name: name)]
      case .loraDown(var down):
        guard down.tile == nil else { return nil }
        let dtype = contractionType(node, name, in: graph, &context)
        down.tile = tile(node, dtype, in: graph)
        let inputs = [
          try prepared(operands[0], dtype, pad: down.pad, &new, &made),
          try weight(operands[1], dtype, down.tile, &new, &made),
        ]
        down.pad = 0
        return [try new.emit(.loraDown(down), inputs + operands.dropFirst(2), name: name)]
      case .conv2d(var conv):
        guard conv.tile == nil else { return nil }
        let dtype = contractionType(node, name, in: graph, &context)
        conv.tile = tile(node, dtype, in: graph)
        let inputs = [
          try prepared(operands[0], dtype, pad: conv.pad, &new, &made),
          try weight(operands[1], dtype, conv.tile, &new, &made),
        ]
        conv.pad = 0
        return [try new.emit(.conv2d(conv), inputs + operands.dropFirst(2), name: name)]
      case .winogradConv2d(var conv):
        guard conv.tile == nil else { return nil }
        let dtype = contractionType(node, name, in: graph, &context)
        let (squares, filters) = (graph.type(node.operands[0]), graph.type(node.operands[1]))
        conv.tile = .winograd(
          for: target, dtype: dtype, points: squares.shape[0], tiles: squares.shape[1],
          columns: filters.shape[0], depth: filters.shape[1], keepsFilters: filters.shape[3] > 3)
        guard conv.tile != nil else { return nil }
        let inputs = [
          try prepared(operands[0], dtype, pad: 0, &new, &made),
          try weight(operands[1], dtype, conv.tile, &new, &made),
        ]
        return [try new.emit(.winogradConv2d(conv), inputs + operands.dropFirst(2), name: name)]
      case .attention(let op):
        return try attend(op, Op.attention, 3, operands, name, &new, &made)
      case .regionalAttention(let op):
        return try attend(op, Op.regionalAttention, 3, operands, name, &new, &made)
      case .attentionStatistics(let op):
        return try attend(op, Op.attentionStatistics, 2, operands, name, &new, &made)
      case .attentionGradient(let op):
        return try attend(op, Op.attentionGradient, 4, operands, name, &new, &made)
      default:
        return nil
      }
    }
    result.inferRates()
    result.removeDeadNodes()
    return result
  }

  /// Attention, or a part of its backward pass, in blocks and with its factors, which are the first
  /// operands, in the chosen element type; nil to leave it.
  private func attend<Definition: AttentionOp>(
    _ op: Definition, _ wrap: (Definition) -> Op, _ factors: Int, _ operands: [ValueID],
    _ name: String, _ graph: inout Graph, _ made: inout Made
  ) throws(Diagnostic) -> [ValueID]? {
    guard op.blocks == nil else { return nil }
    let (queries, keys) = (graph.type(operands[0]).shape, graph.type(operands[1]).shape)
    let depth = queries[2] / op.heads
    var inputs = operands
    if unquantised == .bf16, depth % 2 == 0 {
      for index in 0..<factors {
        inputs[index] = try prepared(operands[index], .bf16, pad: 0, &graph, &made)
      }
    }
    let isPaired = inputs[..<factors].allSatisfy { graph.type($0).dtype == .bf16 }
    var op = op
    op.blocks =
      Definition.isBackward
      ? .backward(
        for: target, depth: depth, queries: queries[1], keys: keys[1],
        usesPairs: isPaired && depth % 2 == 0)
      : .choose(
        for: target, heads: queries[0] * op.heads, depth: depth, queries: queries[1],
        keys: keys[keys.count - 2])
    return [try graph.emit(wrap(op), inputs, name: name)]
  }

  /// The operand in the given element type, with zeros around the image.
  private func prepared(
    _ value: ValueID, _ dtype: DType, pad: Int, _ graph: inout Graph, _ made: inout Made
  ) throws(Diagnostic) -> ValueID {
    if pad > 0 {
      let key = Made.Key(source: value, dtype: dtype, pad: pad)
      if let known = made.values[key] { return known }
      let inner = try prepared(value, dtype, pad: 0, &graph, &made)
      let widths = [0, pad, pad, 0]
      let padded = try graph.pad(inner, low: widths, high: widths)
      made.values[key] = padded
      return padded
    }
    if graph.type(value).dtype == dtype { return value }
    let key = Made.Key(source: value, dtype: dtype, pad: 0)
    if let known = made.values[key] { return known }
    let cast =
      dtype == .q8
      ? try graph.quantise(try prepared(value, unquantised, pad: 0, &graph, &made))
      : try self.cast(value, dtype, &graph, &made)
    made.values[key] = cast
    return cast
  }

  /// The weight in the given element type: its cast last, where `pack-weights` looks for it, or its
  /// panels in q8, whose scales belong to panels.
  private func weight(
    _ value: ValueID, _ dtype: DType, _ tile: Tile?, _ graph: inout Graph, _ made: inout Made
  ) throws(Diagnostic) -> ValueID {
    let panel = dtype == .q8 ? tile?.columns ?? 0 : 0
    let key = Made.Key(source: value, dtype: dtype, pad: 0, panel: panel)
    if let known = made.values[key] { return known }
    let cast: ValueID
    if panel > 0 {
      let source = graph.fileTensor(of: value, as: .f32)
      cast = try graph.pack(
        source, dtype: dtype, panel: panel, name: "\(graph[source].name).packed")
    } else {
      cast = try graph.cast(value, to: dtype)
    }
    made.values[key] = cast
    return cast
  }

  /// The value in another element type. Moving elements about goes on after the cast: then there is
  /// less to move, the producer can round, and all readers of the moved value share it.
  private func cast(
    _ value: ValueID, _ dtype: DType, _ graph: inout Graph, _ made: inout Made
  ) throws(Diagnostic) -> ValueID {
    guard let producer = graph.producer(value), graph.type(value).dtype.isFloat else {
      return try graph.cast(value, to: dtype)
    }
    let type = graph.type(value).with(dtype: dtype)
    let op: Op
    switch graph[producer].op {
    case .slice, .pad: op = graph[producer].op
    case .reshape: op = .reshape(Reshape(type))
    case .upsampleNearest: op = .upsampleNearest(UpsampleNearest(type))
    default: return try graph.cast(value, to: dtype)
    }
    let source = try prepared(graph[producer].operands[0], dtype, pad: 0, &graph, &made)
    return try graph.emit(op, [source])
  }

  private func tile(_ node: Node, _ dtype: DType, in graph: Graph) -> Tile? {
    let weight = graph.type(node.operands[1])
    let rows = graph.type(node.results[0]).rows
    guard graph[node.operands[1]].rate == .load || rows >= Self.rowsForPacking else { return nil }
    let tile = Tile.choose(
      for: target, dtype: dtype, rows: rows, columns: weight.shape[0], depth: weight.shape[1],
      run: gatedRun(node, in: graph))
    return zeroRun(node.op).map(tile.cut(forRunsOf:)) ?? tile
  }

  /// How many outputs a gate is for, if the layer's outputs are gated.
  private func gatedRun(_ node: Node, in graph: Graph) -> Int? {
    guard case .loraDown = node.op else { return nil }
    return graph.type(node.operands[1]).shape[0] / graph.type(node.operands[2]).shape[1]
  }

  /// How many inputs are zero together, if a layer's often are.
  private func zeroRun(_ op: Op) -> Int? {
    switch op {
    case .linear(let linear): linear.skip
    case .conv2d(let conv): conv.skip
    default: nil
    }
  }
}
