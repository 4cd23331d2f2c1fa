import MoscIR
import MoscLLVM

/// Lowers a kernel around a linear map or convolution over packed weights: the tuned contraction
/// computes the anchor, and every op after it is evaluated on the finished vectors. A kernel around the sum
/// of two of them adds the second's products to the first's sums.
struct ContractionLowering {
  let pull: PullEmitter
  let result: (id: ValueID, pointer: LLVMValue)
  /// The contractions whose sums are added, one or two.
  private let parts: [Part]
  /// The node whose result is their sum.
  private let finished: Node

  private struct Part {
    let node: Node
    var spec: ContractionSpec
    let input: ValueID
  }

  /// - Returns: nil when the anchor's operands are not what the tuned kernels read: packed weights
  ///   in a parameter, and a dense input that only views lead to.
  /// - Throws: when no tile is decided.
  init?(_ pull: PullEmitter, _ anchor: NodeID, _ result: (id: ValueID, pointer: LLVMValue)) throws {
    let sum = Self.sum(of: anchor, in: pull.graph)
    let nodes = sum?.parts ?? [anchor]
    var parts = try nodes.compactMap { try Self.part(pull, pull.graph[$0]) }
    guard parts.count == nodes.count else { return nil }
    if parts.count == 2 {
      guard parts[1].spec.continues(parts[0].spec) else { return nil }
      // Each cuts its own depth.
      let depth = parts[1].spec.tile.blockDepth
      parts[1].spec.tile = parts[0].spec.tile
      parts[1].spec.tile.blockDepth = depth
    }
    self.pull = pull
    self.result = result
    self.parts = parts
    finished = pull.graph[sum?.node ?? anchor]
  }

  /// The sum of two contractions that a contraction is a part of, in their order.
  private static func sum(of anchor: NodeID, in graph: Graph) -> (node: NodeID, parts: [NodeID])? {
    for id in graph.order {
      guard case .add = graph[id].op else { continue }
      let parts = graph[id].operands.compactMap(graph.producer).filter { graph[$0].op.tile != nil }
      if parts.count == 2, parts[0] != parts[1], parts.contains(anchor) { return (id, parts.sorted()) }
    }
    return nil
  }

  private static func part(_ pull: PullEmitter, _ node: Node) throws -> Part? {
    let weight = node.operands[1]
    guard case .panel = pull.graph.type(weight).layout, pull.pointers[weight] != nil else {
      return nil
    }
    let tile = try pull.tile(of: node)
    let found: (spec: ContractionSpec, input: ValueID)?
    var skipsZeros = false
    let isQuantised = pull.graph.type(weight).dtype == .q8
    switch node.op {
    case .linear where isQuantised, .conv2d where isQuantised: found = Self.rows(pull, node, tile)
    case .linear(let op):
      found = Self.linear(pull, node, tile)
      skipsZeros = op.skip != nil
    case .conv2d(let op) where op.pad == 0:
      found = Self.convolution(pull, node, op.stride, tile)
      skipsZeros = op.skip != nil
    case .loraDown where pull.graph.type(weight).rank == 2: found = Self.linear(pull, node, tile)
    case .loraDown(let op) where op.pad == 0: found = Self.convolution(pull, node, op.stride, tile)
    default: found = nil
    }
    guard var part = found.map({ Part(node: node, spec: $0.spec, input: $0.input) }) else { return nil }
    part.spec.skipsZeros = skipsZeros
    return part
  }

  /// Rows of q8 with their scales, which no view but a reshape separates from a parameter.
  private static func rows(
    _ pull: PullEmitter, _ node: Node, _ tile: Tile
  ) -> (spec: ContractionSpec, input: ValueID)? {
    var input = node.operands[0]
    let type = pull.graph.type(input)
    while let producer = pull.graph.producer(input) {
      guard case .reshape = pull.graph[producer].op else { return nil }
      input = pull.graph[producer].operands[0]
    }
    let spec = ContractionSpec(
      linearRows: type.rows, depth: type.lastExtent,
      columns: pull.graph.type(node.operands[1]).shape[0], dtype: type.dtype, tile: tile)
    return (spec, input)
  }

  private static func linear(
    _ pull: PullEmitter, _ node: Node, _ tile: Tile
  ) -> (spec: ContractionSpec, input: ValueID)? {
    let type = pull.graph.type(node.operands[0])
    let columns = pull.graph.type(node.operands[1]).shape[0]
    let leading = Array(type.shape.dropLast())
    let rows = type.rows
    let whole = pull.view(of: node.operands[0], counting: [rows, type.lastExtent]) {
      $0.unravel($1[0], in: leading) + [$1[1]]
    }
    if let whole, whole.pitches[1] == 1 || type.lastExtent == 1 {
      let spec = ContractionSpec(
        linearRows: rows, depth: type.lastExtent, columns: columns, dtype: type.dtype,
        pitch: rows == 1 ? type.lastExtent : whole.pitches[0], inputOffset: whole.offset,
        tile: tile)
      return (spec, whole.parameter)
    }
    // Rows evenly spaced in lines, lines in samples: as a convolution of 1×1 addresses them.
    for lines in 1..<max(leading.count, 1) {
      for samples in 0..<lines {
        let groups = [leading[..<samples], leading[samples..<lines], leading[lines...]]
          .map(Array.init)
        let counts = groups.map { $0.reduce(1, *) }
        let split = pull.view(of: node.operands[0], counting: counts + [type.lastExtent]) {
          space, counters in
          zip(groups, counters).flatMap { space.unravel($1, in: $0) } + [counters[3]]
        }
        guard let split, split.pitches[3] == 1 || type.lastExtent == 1 else { continue }
        var spec = ContractionSpec(
          linearRows: counts[2], depth: type.lastExtent, columns: columns, dtype: type.dtype,
          pitch: counts[2] == 1 ? type.lastExtent : split.pitches[2], inputOffset: split.offset,
          tile: tile)
        (spec.batch, spec.outputHeight) = (counts[0], counts[1])
        (spec.imagePitch, spec.rowPitch) = (split.pitches[0], split.pitches[1])
        return (spec, split.parameter)
      }
    }
    return nil
  }

  private static func convolution(
    _ pull: PullEmitter, _ node: Node, _ stride: Int, _ tile: Tile
  ) -> (spec: ContractionSpec, input: ValueID)? {
    let type = pull.graph.type(node.operands[0])
    let weight = pull.graph.type(node.operands[1]).shape
    let shape = type.shape
    guard let view = pull.view(of: node.operands[0], counting: shape, { $1 }),
      view.pitches[3] == 1 || shape[3] == 1
    else { return nil }
    var spec = ContractionSpec(
      image: shape, filters: weight, stride: stride, dtype: type.dtype, tile: tile)
    spec.inputOffset = view.offset
    // An extent of 1 has no neighbour to be apart from.
    if shape[2] > 1 { spec.pixelPitch = view.pitches[2] }
    if shape[1] > 1 { spec.rowPitch = view.pitches[1] }
    if shape[0] > 1 { spec.imagePitch = view.pitches[0] }
    return (spec, view.parameter)
  }

  /// The gate of a node's outputs.
  private func gate(_ node: Node) throws -> RowGate? {
    guard case .loraDown = node.op else { return nil }
    guard let buffer = pull.pointers[node.operands[2]] else {
      throw pull.failure("a gate without a buffer")
    }
    let shape = pull.graph.type(node.operands[2]).shape
    return RowGate(
      buffer, positions: shape[0], slots: shape[1], columns: pull.graph.type(node.results[0]).lastExtent)
  }

  func part() throws -> KernelLowering.Part {
    let gate = try gate(finished)
    let (first, second) = (parts[0], parts.dropFirst().first)
    return KernelLowering.Part(taskCount: ContractionKernel.tasks(first.spec, pull.e.target)) { task in
      func memory(_ part: Part) throws -> (a: LLVMValue, b: LLVMValue) {
        guard let a = pull.pointers[part.input], let b = pull.pointers[part.node.operands[1]] else {
          throw pull.failure("a contraction without buffers")
        }
        return (a, b)
      }
      let (a, b) = try memory(first)
      let continuation = try second.map { part in
        let (a, b) = try memory(part)
        return ContractionKernel.Continuation(part.spec, a: a, b: b)
      }
      try ContractionKernel.emit(
        pull.e, first.spec, task: task, a: a, b: b, continuation: continuation, gate: gate,
        prefetch: EpilogueMemory(pull, finished, besides: parts.flatMap(\.node.operands), result).prefetch
      ) { _, vector in
        let epilogue = Epilogue(pull: pull, anchor: finished, result: result)
        if let gate {
          let numbers = gate.numbers(pull.e, row: vector.row, column: vector.column, count: vector.count)
          let value = pull.e.fmul(vector.value, numbers)
          return try epilogue.emit(value, row: vector.row, column: vector.column, vector.count)
        }
        let biases = parts.compactMap { $0.node.operands.dropFirst(2).first }
        try epilogue.emit(vector.value, row: vector.row, column: vector.column, vector.count) {
          value, column in
          try biases.reduce(value) { pull.e.fadd($0, pull.wide(try pull.value($1, at: [column]))) }
        }
      }
    }
  }
}

extension PullEmitter {
  /// The tile of a contraction over packed weights.
  func tile(of node: Node) throws -> Tile {
    guard let tile = node.op.tile else {
      throw failure("'\(node.op.mnemonic)' has packed weights, but no tile")
    }
    return tile
  }
}

/// Evaluates the ops after an anchor on one vector of its result and stores what comes out.
struct Epilogue {
  let pull: PullEmitter
  let anchor: Node
  let result: (id: ValueID, pointer: LLVMValue)

  /// - Parameters:
  ///   - row: The position among all axes of the anchor's result but the last.
  ///   - column: The position of the first lane on the last axis.
  ///   - adjust: What happens to the vector before the ops, given its column index.
  func emit(
    _ value: LLVMValue, row: LLVMValue, column: LLVMValue, _ count: Int,
    adjust: (LLVMValue, IndexExpr) throws -> LLVMValue = { value, _ in value }
  ) throws {
    let type = pull.graph.type(anchor.results[0])
    // A single element is a scalar, as everywhere in the body.
    let isSingle = count == 1 && pull.e.lanes(of: value) > 1
    let value = isSingle ? pull.e.builder.extract(value, at: 0) : value
    let lanes = pull.e.lanes(of: value)
    try pull.scoped {
      let rowIndex = pull.counter(row, extent: type.rows)
      let firstColumn = pull.counter(column, extent: type.lastExtent - count + 1)
      try pull.withLanes(lanes, active: count) { lane in
        let columnIndex = firstColumn + lane
        let index =
          pull.space.unravel(rowIndex, in: Array(type.shape.dropLast())) + [columnIndex]
        let finished = try adjust(value, columnIndex)
        let target = pull.graph.type(result.id)
        let place: [IndexExpr]
        if target.lastExtent == type.lastExtent {
          place =
            pull.space.unravel(rowIndex, in: Array(target.shape.dropLast())) + [columnIndex]
        } else {
          place = pull.space.unravel(
            rowIndex * type.lastExtent + columnIndex, in: target.shape)
        }
        try pull.with(anchor.results[0], at: index, being: finished) {
          let (value, _) = try pull.unrounded(result.id, at: place)
          try pull.store(value, as: target, result.pointer, at: place)
        }
      }
    }
  }
}
