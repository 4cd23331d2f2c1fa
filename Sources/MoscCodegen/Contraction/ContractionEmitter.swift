import MoscIR
import MoscLLVM

/// The loops of one task over depth blocks, panels and register tiles.
///
/// Where an output is the sum of two products, the second one's depth follows tile by tile, while the sums
/// are in the first cache. What a gate closes, and products with runs of zeros, are left out tile by tile.
struct ContractionEmitter {
  let e: FunctionEmitter
  let plan: ContractionPlan
  let spec: ContractionSpec
  let tile: Tile
  let a: LLVMValue
  let b: LLVMValue
  let prefetch: ContractionKernel.Prefetch?
  let epilogue: ContractionKernel.Epilogue
  let scratch: LLVMValue
  let rowOffsets: LLVMValue
  let full: Microkernel?
  let tail: Microkernel?
  /// The product whose sums are added.
  private let next: [ContractionEmitter]
  private let gate: RowGate?
  private let zeros: ZeroRuns?

  init(
    _ e: FunctionEmitter, _ plan: ContractionPlan, a: LLVMValue, b: LLVMValue,
    next: ContractionEmitter? = nil, gate: RowGate? = nil,
    prefetch: ContractionKernel.Prefetch?, epilogue: @escaping ContractionKernel.Epilogue
  ) throws {
    self.next = next.map { [$0] } ?? []
    self.gate = gate
    zeros = ZeroRuns(e, plan)
    self.e = e
    self.plan = plan
    spec = plan.spec
    tile = plan.tile
    self.a = e.offset(a, bytes: spec.inputOffset * spec.dtype.byteSize)
    self.b = b
    self.prefetch = prefetch
    self.epilogue = epilogue
    // A continuation adds to memory that it is given.
    scratch = e.stackSlot(bytes: plan.continues ? 64 : plan.scratchBytes)
    rowOffsets = plan.hasUniformRows ? scratch : e.stackSlot(bytes: tile.blockRows * 8)
    let name = plan.continues ? "more" : "tile"
    full =
      plan.fullPanels == 0
      ? nil : try Microkernel(e, plan, vectors: plan.vectors(tail: false), name: name)
    tail =
      plan.tailColumns == 0
      ? nil : try Microkernel(e, plan, vectors: plan.vectors(tail: true), name: "\(name)_tail")
  }

  func write(_ task: LLVMValue) throws {
    let rowBlock = e.rem(task, plan.rowBlocks)
    let columnBlock = e.div(task, plan.rowBlocks)
    let firstRow = e.mul(rowBlock, tile.blockRows)
    let rows = e.min(e.sub(e.int(spec.rows), firstRow), tile.blockRows)
    let tiles = e.div(e.add(rows, tile.rows - 1), tile.rows)
    for part in [self] + next where !part.plan.hasUniformRows { part.writeRowOffsets(firstRow, tiles) }
    for part in [self] + next { part.lookForZeros(firstRow, tiles) }
    let firstPanel = e.mul(columnBlock, plan.panelsPerBlock)
    let lastFull = e.min(e.add(firstPanel, plan.panelsPerBlock), plan.fullPanels)
    let here = Place(firstRow: firstRow, rows: rows, tiles: tiles, firstPanel: firstPanel)
    try depthLoop { block in
      if let full {
        try e.loop(from: firstPanel, to: lastFull) { panel, _ in
          try tileLoop(full, panel, tile.columns, block, here)
          return []
        }
      }
      if let tail {
        let isLast = e.builder.compare(
          .equal, columnBlock, e.int(plan.columnBlocks - 1))
        try e.branch(if: isLast) {
          try tileLoop(tail, e.int(plan.fullPanels), plan.tailColumns, block, here)
          return []
        }
      }
    }
  }

  /// The rows and panels of a task.
  private struct Place {
    let firstRow, rows, tiles, firstPanel: LLVMValue
  }

  /// A piece of depth: where it starts in input and weights, how long it is.
  private struct DepthBlock {
    /// Element offset in the input.
    let inputOffset: LLVMValue
    /// Depth index of the first weight.
    let depth: LLVMValue
    let steps: LLVMValue
    let segments: (LLVMValue, LLVMValue)
    let isFirst: LLVMValue
    let isLast: LLVMValue
  }

  /// The input offset of every row of the block; rows past the end repeat the last row, so that
  /// partial tiles need no code of their own.
  private func writeRowOffsets(_ firstRow: LLVMValue, _ tiles: LLVMValue) {
    e.loop(from: e.int(0), to: e.mul(tiles, tile.rows)) { index, _ in
      let row = e.min(e.add(firstRow, index), spec.rows - 1)
      let bytes = e.mul(plan.rowOffset(e, row), spec.dtype.byteSize)
      e.builder.store(bytes, e.offset(rowOffsets, bytes: e.mul(index, 8)), align: 8)
      return []
    }
  }

  /// Looks for runs of zeros in the task's inputs.
  private func lookForZeros(_ firstRow: LLVMValue, _ tiles: LLVMValue) {
    zeros?.look(tiles: tiles) { tile, row in
      let index = e.add(e.mul(tile, self.tile.rows), row)
      if plan.hasUniformRows {
        return e.offset(a, bytes: e.mul(plan.rowOffset(e, e.add(firstRow, index)), spec.dtype.byteSize))
      }
      return e.offset(
        a, bytes: e.builder.load(e.i64, e.offset(rowOffsets, bytes: e.mul(index, 8)), align: 8))
    }
  }

  private func depthLoop(_ body: (DepthBlock) throws -> Void) throws {
    let perCall = plan.segmentsPerCall
    let step = e.int(0).type
    try e.loop(from: 0, to: plan.segments, step: perCall) { segment, _ in
      let end = perCall == 1 ? e.add(segment, 1) : e.min(e.add(segment, perCall), plan.segments)
      try e.loop(from: 0, to: plan.segmentLength, step: plan.blockLength) { start, _ in
        let rest = e.sub(e.int(plan.segmentLength), start)
        let length =
          plan.hasEqualBlocks ? e.int(plan.blockLength) : e.min(rest, plan.blockLength)
        let depth = e.add(e.mul(segment, plan.segmentLength), start)
        // A kernel that walks several segments adds their offsets itself.
        let offset = perCall == 1 ? e.add(plan.segmentOffset(e, segment), start) : e.int(0)
        let atEnd = perCall == 1 ? e.add(depth, length) : e.mul(end, plan.segmentLength)
        try body(
          DepthBlock(
            inputOffset: offset, depth: depth, steps: e.div(length, plan.elementsPerStep),
            segments: (segment, end),
            isFirst: e.builder.compare(.equal, depth, e.builder.constant(0, step)),
            isLast: e.builder.compare(.equal, atEnd, e.int(spec.depth))))
        return []
      }
      return []
    }
  }

  private func tileLoop(
    _ kernel: Microkernel, _ panel: LLVMValue, _ columns: Int, _ block: DepthBlock, _ here: Place
  ) throws {
    let size = spec.dtype.byteSize
    let width = kernel.vectors * plan.lanes
    let weights = e.offset(
      panelStart(panel),
      bytes: e.add(e.mul(block.depth, width * size), e.int(width * spec.headerBytes)))
    let input = e.offset(a, bytes: e.mul(block.inputOffset, size))
    let panelSums =
      plan.depthBlocks == 1
      ? scratch
      : e.offset(
        scratch, bytes: e.mul(e.sub(panel, here.firstPanel), plan.tilesPerBlock * plan.tileBytes))
    try e.loop(from: e.int(0), to: here.tiles) { index, _ in
      let row = e.mul(index, tile.rows)
      let sums =
        plan.depthBlocks == 1
        ? panelSums : e.offset(panelSums, bytes: e.mul(index, plan.tileBytes))
      let (start, offsets): (LLVMValue, LLVMValue)
      if plan.hasUniformRows {
        let first = plan.rowOffset(e, e.add(here.firstRow, row))
        (start, offsets) = (e.offset(input, bytes: e.mul(first, size)), rowOffsets)
      } else {
        (start, offsets) = (input, e.offset(rowOffsets, bytes: e.mul(row, 8)))
      }
      if let prefetch {
        // The products leave the memory system time to bring what follows them.
        func request() {
          for index in 0..<tile.rows {
            prefetch(
              e.add(e.add(here.firstRow, row), index), e.mul(panel, tile.columns), columns)
          }
        }
        if plan.depthBlocks == 1 {
          request()
        } else {
          e.branch(if: block.isLast) {
            request()
            return []
          }
        }
      }
      func multiply() {
        kernel.call(
          a: start, b: weights, next: e.offset(weights, bytes: panelBytes), tile: index, c: sums,
          rowOffsets: offsets, isFirst: block.isFirst, steps: block.steps,
          segments: block.segments)
      }
      if let isNeeded = isNeeded(
        row: e.add(here.firstRow, row), tile: index, e.mul(panel, tile.columns), columns, block)
      {
        e.branch(if: isNeeded) {
          multiply()
          return []
        } else: {
          e.branch(if: block.isFirst) {
            clear(sums, kernel)
            return []
          }
          return []
        }
      } else {
        multiply()
      }
      if plan.depthBlocks == 1 {
        try finish(kernel, panel, columns, sums, row, here)
      } else {
        try e.branch(if: block.isLast) {
          try finish(kernel, panel, columns, sums, row, here)
          return []
        }
      }
      return []
    }
  }

  /// Whether the products of a block of depth have to be added to a tile; nil if they always have.
  private func isNeeded(
    row: LLVMValue, tile index: LLVMValue, _ column: LLVMValue, _ columns: Int, _ block: DepthBlock
  ) -> LLVMValue? {
    if let gate {
      return gate.isOpen(
        e, firstRow: row, rows: tile.rows, last: spec.rows - 1, firstColumn: column, columns: columns)
    }
    return zeros?.isNeeded(tile: index, depth: block.depth)
  }

  /// Writes zeros over the sums of a tile.
  private func clear(_ sums: LLVMValue, _ kernel: Microkernel) {
    let zero = e.builder.zero(e.storageType(plan.sumType, plan.lanes))
    for vector in 0..<tile.rows * kernel.vectors {
      e.storeRaw(zero, e.offset(sums, bytes: vector * plan.lanes * 4), align: plan.lanes * 4)
    }
  }

  private var panelBytes: Int {
    tile.columns * (spec.depth * spec.dtype.byteSize + spec.headerBytes)
  }
  private func panelStart(_ panel: LLVMValue) -> LLVMValue {
    e.offset(b, bytes: e.mul(panel, panelBytes))
  }

  /// The scale of an output row's input, behind its integers.
  private func scale(ofRow row: LLVMValue) -> LLVMValue {
    let end = e.add(plan.rowOffset(e, row), spec.depth)
    return e.splat(e.builder.load(e.f32, e.offset(a, bytes: end), align: 1), plan.lanes)
  }

  /// Adds all of the depth to the sums of a tile.
  private func add(
    to sums: LLVMValue, tile index: LLVMValue, _ panel: LLVMValue, isTail: Bool, _ here: Place
  ) throws {
    guard let kernel = isTail ? tail : full else { return }
    let size = spec.dtype.byteSize
    let row = e.mul(index, tile.rows)
    try depthLoop { block in
      let weights = e.offset(
        panelStart(panel), bytes: e.mul(block.depth, kernel.vectors * plan.lanes * size))
      let input = e.offset(a, bytes: e.mul(block.inputOffset, size))
      let first = plan.hasUniformRows ? plan.rowOffset(e, e.add(here.firstRow, row)) : e.int(0)
      func multiply() {
        kernel.call(
          a: e.offset(input, bytes: e.mul(first, size)), b: weights,
          next: e.offset(weights, bytes: panelBytes), tile: index, c: sums,
          rowOffsets: plan.hasUniformRows ? rowOffsets : e.offset(rowOffsets, bytes: e.mul(row, 8)),
          isFirst: e.builder.constant(0, e.i1), steps: block.steps, segments: block.segments)
      }
      guard let zeros else { return multiply() }
      e.branch(if: zeros.isNeeded(tile: index, depth: block.depth)) {
        multiply()
        return []
      }
    }
  }

  /// Sends the finished rows of a tile through the epilogue.
  private func finish(
    _ kernel: Microkernel, _ panel: LLVMValue, _ columns: Int, _ sums: LLVMValue,
    _ firstRow: LLVMValue, _ here: Place
  ) throws {
    for part in next {
      try part.add(
        to: sums, tile: e.div(firstRow, tile.rows), panel, isTail: columns < tile.columns, here)
    }
    let lanes = plan.lanes
    let count = e.min(e.sub(here.rows, firstRow), tile.rows)
    let firstColumn = e.mul(panel, tile.columns)
    let header = QuantisedColumns(panelStart(panel), columns: kernel.vectors * lanes)
    try e.bottomTestedLoop(from: e.int(0), to: count) { index, _ in
      let rowSums = e.offset(sums, bytes: e.mul(index, kernel.vectors * lanes * 4))
      let row = e.add(e.add(here.firstRow, firstRow), index)
      let scale = spec.dtype == .q8 ? scale(ofRow: row) : nil
      for vector in 0..<kernel.vectors {
        let valid = Swift.min(columns - vector * lanes, lanes)
        let column = e.add(firstColumn, vector * lanes)
        var value = e.load(
          plan.sumType, e.offset(rowSums, bytes: vector * lanes * 4), lanes: lanes,
          align: lanes * 4)
        if let scale { value = header.restore(e, value, first: e.int(vector * lanes), scale) }
        try epilogue(
          e, ContractionResult(value: value, row: row, column: column, count: valid))
      }
      return []
    }
  }
}
