import MoscIR

/// Computes 3×3 convolutions of large images by Winograd's algorithm.
///
/// `conv2d` becomes `winograd_conv2d` of transformed squares and filters: 1/4 of the multiplications
/// in f32 (tiles of 4×4 outputs), 4/9 in bf16 and q8 (2×2, the largest that such factors allow). Filters
/// take 4 or 16/9 times their memory when transformed: those of large images, which are small, are
/// transformed at load; others by the convolution each time, which costs it about a tenth, and so
/// are all where load values must fit a budget.
///
/// - Stage: tensor → tensor.  Needs: rates.  Keeps: every result within rounding, see
///   `WinogradTransform`.  Options: `tiles=N`, the fewest tiles that pay; `kept=N`, the fewest
///   for which transformed filters are kept.
/// - Refuses: filters not known at load (`winograd.rate`), images that are no whole tiles
///   (`winograd.size`), few tiles (`winograd.tiles`), few channels or no whole vectors of outputs
///   (`winograd.channels`).
/// - Order: before `choose-kernels`, which makes the padding explicit and picks the same precision.
package struct Winograd: Pass {
  package static let name = "winograd"
  package static let stages = (from: Stage.tensor, to: Stage.tensor)
  package static let isOptional = true
  /// The tiles from which on it pays: fewer read every transformed filter for too few products.
  private let fewestTiles: Int
  /// The tiles from which on transformed filters are kept.
  private let fewestKept: Int

  package init(_ options: inout PassOptions) throws(Diagnostic) {
    fewestTiles = try options.int("tiles") ?? Self.standard.fewestTiles
    fewestKept = try options.int("kept") ?? Self.standard.fewestKept
  }

  /// The pass as it runs without options.
  static let standard = Winograd(fewestTiles: 32, fewestKept: 512)

  private init(fewestTiles: Int, fewestKept: Int) {
    self.fewestTiles = fewestTiles
    self.fewestKept = fewestKept
  }

  package func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      let graph = module.graphs[index]
      var result = try graph.rebuilt { (id, operands, new) throws(Diagnostic) -> [ValueID]? in
        let node = graph[id]
        guard case .conv2d(let conv) = node.op, isCandidate(conv, node, graph) else { return nil }
        let name = graph[node.results[0]].name
        switch choice(node, graph, context) {
        case .leave(let reason, let message):
          context.remark(reason, "convolution '%\(name)' stays direct: \(message)")
          return nil
        case .transform(let transform, let keepsFilters):
          context.count("f\(transform.outputs)x\(transform.outputs)")
          if keepsFilters { context.count("kept") }
          let pad = [0, conv.pad, conv.pad, 0]
          let image =
            conv.pad == 0 ? operands[0] : try new.pad(operands[0], low: pad, high: pad)
          let filters = keepsFilters ? exact(operands[1], in: new) : operands[1]
          return [
            try new.winogradConv2d(
              image, weight: filters, bias: operands.dropFirst(2).first,
              transform, keepsFilters: keepsFilters, name: name)
          ]
        }
      }
      result.inferRates()
      result.removeDeadNodes()
      module.graphs[index] = result
    }
  }

  private func isCandidate(_ conv: Conv2d, _ node: Node, _ graph: Graph) -> Bool {
    conv.stride == 1 && conv.pad <= 1 && conv.tile == nil
      && graph.type(node.operands[1]).shape[2...] == [3, 3]
  }

  /// Whether the pass changes a node.
  func takes(_ node: Node, in graph: Graph, _ context: PassContext) -> Bool {
    guard case .conv2d(let conv) = node.op, isCandidate(conv, node, graph),
      case .transform = choice(node, graph, context)
    else { return false }
    return true
  }

  private enum Choice {
    case transform(WinogradTransform, keepsFilters: Bool)
    case leave(reason: String, message: String)
  }

  private func choice(_ node: Node, _ graph: Graph, _ context: PassContext) -> Choice {
    let weight = graph[node.operands[1]]
    let image = graph.type(node.results[0]).shape
    let (columns, depth) = (weight.type.shape[0], weight.type.shape[1])
    if weight.rate != .load {
      return .leave(
        reason: "rate", message: "'%\(weight.name)' is only known per \(weight.rate.name)")
    }
    let lanes = context.target.lanes
    if depth < 16 || columns < 16 || columns % lanes != 0 || depth % 2 != 0 {
      return .leave(reason: "channels", message: "it has \(depth) inputs, \(columns) outputs")
    }
    let sizes = context.precision == .f32 ? [4, 2] : [2]
    let fitting = sizes.filter { image[1] % $0 == 0 && image[2] % $0 == 0 }
    if fitting.isEmpty {
      return .leave(reason: "size", message: "the image is \(image[1])×\(image[2])")
    }
    for outputs in fitting {
      let tiles = image[0] * image[1] * image[2] / (outputs * outputs)
      guard tiles >= fewestTiles, let transform = WinogradTransform(outputs: outputs),
        Tile.winograd(
          for: context.target, dtype: context.precision, points: transform.points, tiles: tiles,
          columns: columns, depth: depth, keepsFilters: true) != nil
      else { continue }
      // In q8 they are rounded when transformed, and take less than others untransformed.
      let keepsFilters =
        context.precision == .q8 || (tiles >= fewestKept && context.loadBudget == nil)
      return .transform(transform, keepsFilters: keepsFilters)
    }
    return .leave(reason: "tiles", message: "the images are too small or too few")
  }

  /// The filters before casts that change nothing.
  private func exact(_ weight: ValueID, in graph: Graph) -> ValueID {
    guard let producer = graph.producer(weight), case .cast = graph[producer].op else {
      return weight
    }
    let source = graph[producer].operands[0]
    let (from, to) = (graph.type(source).dtype, graph.type(weight).dtype)
    return from.isFloat && to.represents(from) ? exact(source, in: graph) : weight
  }
}
