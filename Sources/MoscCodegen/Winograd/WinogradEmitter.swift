import MoscIR
import MoscLLVM

/// The loops of one task over points, and the way back from their sums to pixels.
struct WinogradEmitter {
  let e: FunctionEmitter
  let spec: WinogradSpec
  let plan: ContractionPlan
  let v: LLVMValue
  let u: LLVMValue
  let epilogue: ContractionKernel.Epilogue
  /// Filters of a depth block at all points, `[point][depth][column of the panel]`, where they are
  /// not kept so.
  let filters: LLVMValue
  /// Sums `[point][tile of the block][column of the panel]`.
  let sums: LLVMValue
  /// Results `[pixel of a tile][column of the panel]`.
  let outputs: LLVMValue
  let kernel: Microkernel

  private var tile: Tile { plan.tile }
  private var width: Int { plan.tile.columns }

  // Filters and sums of one point end with a free cache line: those of all points are written and
  // read together, and would else fall in the same few sets of a cache.
  private static let line = 64

  static func filterBytes(_ plan: ContractionPlan) -> Int {
    plan.blockLength * plan.tile.columns * plan.spec.dtype.byteSize + line
  }
  static func sumBytes(_ plan: ContractionPlan) -> Int {
    plan.tile.blockRows * plan.tile.columns * 4 + line
  }

  func write(_ task: LLVMValue) throws {
    let firstRow = e.mul(e.rem(task, plan.rowBlocks), tile.blockRows)
    let panel = e.div(task, plan.rowBlocks)
    let rows = e.min(e.sub(e.int(spec.product.rows), firstRow), tile.blockRows)
    multiply(firstRow, rows, panel)
    try e.loop(from: e.int(0), to: rows) { row, _ in
      transform(row, e.add(firstRow, row), panel)
      try finish(e.add(firstRow, row), panel)
      return []
    }
  }

  /// The sums of all points.
  private func multiply(_ firstRow: LLVMValue, _ rows: LLVMValue, _ panel: LLVMValue) {
    let product = spec.product
    let (depth, size) = (product.depth, product.dtype.byteSize)
    let points = spec.transform.points
    let weights = e.offset(panelStart(panel), bytes: points * product.headerBytes * width)
    let tiles = e.div(rows, tile.rows)
    /// One depth block of one point, with the weights at `b`.
    func add(_ point: LLVMValue, _ start: LLVMValue, _ length: LLVMValue, _ b: LLVMValue) {
      let a = e.offset(
        v, bytes: e.mul(e.add(e.mul(point, product.rows), firstRow), rowBytes))
      let c = e.offset(sums, bytes: e.mul(point, Self.sumBytes(plan)))
      let isFirst = e.builder.compare(.equal, start, e.builder.constant(0, start.type))
      e.loop(from: e.int(0), to: tiles) { index, _ in
        let offset = e.add(e.mul(index, tile.rows * rowBytes), e.mul(start, size))
        kernel.call(
          a: e.offset(a, bytes: offset), b: b,
          next: e.offset(b, bytes: plan.blockLength * width * size), tile: index,
          c: e.offset(c, bytes: e.mul(index, plan.tileBytes)), rowOffsets: c,
          isFirst: isFirst, steps: e.div(length, plan.elementsPerStep),
          segments: (e.int(0), e.int(1)))
        return []
      }
    }
    func depthLoop(_ body: (_ start: LLVMValue, _ length: LLVMValue) -> Void) {
      e.loop(from: 0, to: depth, step: plan.blockLength) { start, _ in
        body(
          start,
          plan.hasEqualBlocks
            ? e.int(plan.blockLength) : e.min(e.sub(e.int(depth), start), plan.blockLength))
        return []
      }
    }
    if spec.transformsFilters {
      depthLoop { start, length in
        transformFilters(weights, start, length)
        e.loop(from: 0, to: points) { point, _ in
          let b = e.offset(filters, bytes: e.mul(point, Self.filterBytes(plan)))
          add(point, start, length, b)
          return []
        }
      }
    } else {
      e.loop(from: 0, to: points) { point, _ in
        let b = e.offset(weights, bytes: e.mul(point, depth * width * size))
        depthLoop { start, length in
          add(point, start, length, e.offset(b, bytes: e.mul(start, width * size)))
        }
        return []
      }
    }
  }

  private var rowBytes: Int { spec.product.pixelPitch * spec.product.dtype.byteSize }

  /// The filters of a panel, in q8 their scales first.
  private func panelStart(_ panel: LLVMValue) -> LLVMValue {
    let product = spec.product
    let numbers = product.depth * (spec.transformsFilters ? 9 : spec.transform.points)
    let bytes =
      numbers * product.dtype.byteSize + spec.transform.points * product.headerBytes
    return e.offset(u, bytes: e.mul(panel, bytes * width))
  }

  /// The filters of a panel and a depth block at all points. A step is four bytes of each column: one
  /// element, or a pair of bf16.
  private func transformFilters(_ taps: LLVMValue, _ start: LLVMValue, _ length: LLVMValue) {
    let (perStep, bytes) = (plan.elementsPerStep, plan.lanes * 4)
    let tapBytes = spec.product.depth / perStep * width * 4
    let filterBytes = Self.filterBytes(plan)
    let first = e.offset(taps, bytes: e.mul(e.div(start, perStep), width * 4))
    let vectors = e.mul(e.div(length, perStep), width / plan.lanes)
    e.loop(from: e.int(0), to: vectors) { vector, _ in
      let from = e.offset(first, bytes: e.mul(vector, bytes))
      let to = e.offset(filters, bytes: e.mul(vector, bytes))
      let words = (0..<9).map { tap in
        e.builder.load(e.intType(plan.lanes), e.offset(from, bytes: tap * tapBytes), align: bytes)
      }
      for (point, word) in transformed(words).enumerated() {
        e.builder.store(word, e.offset(to, bytes: point * filterBytes), align: bytes)
      }
      return []
    }
  }

  private func transformed(_ words: [LLVMValue]) -> [LLVMValue] {
    let matrix = spec.transform.weight
    if spec.product.dtype == .f32 { return e.square(matrix, words.map(e.fromBits)).map(e.bits) }
    let low = e.square(matrix, words.map { e.fromBits(e.shl($0, 16)) })
    let high = e.square(
      matrix, words.map { e.fromBits(e.shl(e.lshr($0, 16), 16)) })
    return zip(low, high).map { low, high in
      e.builder.binary(
        .or, e.builder.cast(.zext, e.toBF16(low), words[0].type),
        e.shl(e.builder.cast(.zext, e.toBF16(high), words[0].type), 16))
    }
  }

  /// The scale of a tile at a point, behind its integers.
  private func scale(_ point: Int, _ tile: LLVMValue) -> LLVMValue {
    let product = spec.product
    let end = e.add(e.mul(e.add(tile, point * product.rows), rowBytes), product.depth)
    return e.splat(e.builder.load(e.f32, e.offset(v, bytes: end), align: 1), plan.lanes)
  }

  /// The pixels of one tile of the block, the `tile`-th of all.
  private func transform(_ row: LLVMValue, _ tile: LLVMValue, _ panel: LLVMValue) {
    let bytes = plan.lanes * 4
    let head = panelStart(panel)
    e.loop(from: 0, to: width, step: plan.lanes) { column, _ in
      let base = e.offset(sums, bytes: e.mul(e.add(e.mul(row, width), column), 4))
      let square = (0..<spec.transform.points).map { point in
        let sum = e.load(
          plan.sumType, e.offset(base, bytes: point * Self.sumBytes(plan)), lanes: plan.lanes, align: bytes)
        if spec.product.dtype != .q8 { return sum }
        let columns = QuantisedColumns(
          e.offset(head, bytes: point * spec.product.headerBytes * width), columns: width)
        return columns.restore(e, sum, first: column, scale(point, tile))
      }
      let target = e.offset(outputs, bytes: e.mul(column, 4))
      for (pixel, value) in e.square(spec.transform.output, square).enumerated() {
        e.store(value, as: .f32, e.offset(target, bytes: pixel * width * 4), align: bytes)
      }
      return []
    }
  }

  /// Sends the pixels of a tile through the epilogue.
  private func finish(_ row: LLVMValue, _ panel: LLVMValue) throws {
    let m = spec.transform.outputs
    let across = spec.image[2] / m
    // Rows of tiles of all images follow one another, and so do their rows of pixels.
    let corner = e.add(
      e.mul(e.div(row, across), m * spec.image[2]), e.mul(e.rem(row, across), m))
    let firstColumn = e.mul(panel, width)
    try e.loop(from: 0, to: m * m) { pixel, _ in
      let place = e.add(
        e.add(corner, e.mul(e.div(pixel, m), spec.image[2])), e.rem(pixel, m))
      let values = e.offset(outputs, bytes: e.mul(pixel, width * 4))
      for vector in stride(from: 0, to: width, by: plan.lanes) {
        let value = e.load(
          .f32, e.offset(values, bytes: vector * 4), lanes: plan.lanes, align: plan.lanes * 4)
        try epilogue(
          e,
          ContractionResult(
            value: value, row: place, column: e.add(firstColumn, vector), count: plan.lanes))
      }
      return []
    }
  }
}
