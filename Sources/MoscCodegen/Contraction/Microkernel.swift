import MoscIR
import MoscLLVM

/// The inner kernel of contractions: a register tile of `rows` × `vectors · lanes` sums.
///
/// Weights are loaded as vectors of output channels, inputs are broadcast from memory; the loop
/// carries the sums in registers. A call adds one depth block (or several short segments) to the
/// tile of partial sums at `c`.
struct Microkernel {
  let e: FunctionEmitter
  let plan: ContractionPlan
  let vectors: Int
  let function: LLVMFunction

  /// Writes the function for panels of `vectors` vectors.
  init(_ e: FunctionEmitter, _ plan: ContractionPlan, vectors: Int, name: String) throws {
    self.e = e
    self.plan = plan
    self.vectors = vectors
    // a, b, c, row offsets, first block?, steps, first segment, end of segments, weights ahead
    let parameters = [
      e.pointer, e.pointer, e.pointer, e.pointer, e.i1, e.i64, e.i64, e.i64, e.pointer,
    ]
    function = e.define(name, parameters) { p in
      let emitter = MicrokernelEmitter(e, plan, vectors: vectors, p)
      emitter.write()
      return nil
    }
  }

  /// Calls the kernel for the `tile`-th tile of rows that meets the weights at `b`.
  ///
  /// - Parameter next: The weights of the calls that follow those. Each call asks for a share of
  ///   them, a line per `unroll` steps, so that they come from memory while products are summed.
  func call(
    a: LLVMValue, b: LLVMValue, next: LLVMValue, tile: LLVMValue, c: LLVMValue,
    rowOffsets: LLVMValue, isFirst: LLVMValue, steps: LLVMValue, segments: (LLVMValue, LLVMValue)
  ) {
    let shares = ContractionPlan.unroll * vectors * plan.lanes * 4 / Self.line
    let share = e.mul(e.min(tile, shares - 1), Self.line / ContractionPlan.unroll)
    let ahead = e.offset(next, bytes: e.mul(share, steps))
    e.builder.call(
      function, [a, b, c, rowOffsets, isFirst, steps, segments.0, segments.1, ahead])
  }

  /// Bytes of a cache line.
  static let line = 64
}

private struct MicrokernelEmitter {
  let e: FunctionEmitter
  let plan: ContractionPlan
  let vectors: Int
  let rows: Int
  let lanes: Int
  let (b, c, ahead): (LLVMValue, LLVMValue, LLVMValue)
  let (isFirst, steps): (LLVMValue, LLVMValue)
  let segments: (LLVMValue, LLVMValue)
  /// The first input element of every row of the tile.
  let rowPointers: [LLVMValue]

  init(_ e: FunctionEmitter, _ plan: ContractionPlan, vectors: Int, _ p: [LLVMValue]) {
    self.e = e
    self.plan = plan
    self.vectors = vectors
    rows = plan.tile.rows
    lanes = plan.lanes
    (b, c, ahead) = (p[1], p[2], p[8])
    (isFirst, steps) = (p[4], p[5])
    segments = (p[6], p[7])
    let pitch = plan.spec.stride * plan.spec.pixelPitch * plan.spec.dtype.byteSize
    rowPointers = (0..<rows).map { row in
      if plan.hasUniformRows { return e.offset(p[0], bytes: row * pitch) }
      let bytes = e.builder.load(e.i64, e.offset(p[3], bytes: row * 8), align: 8)
      return e.offset(p[0], bytes: bytes)
    }
  }

  func write() {
    let count = rows * vectors
    let zero = e.builder.zero(e.storageType(plan.sumType, lanes))
    let zeros = Array(repeating: zero, count: count)
    func sumsSoFar() -> [LLVMValue] {
      (0..<count).map { e.loadRaw(plan.sumType, tileAddress($0), lanes: lanes, align: lanes * 4) }
    }
    let start =
      plan.continues
      ? sumsSoFar()
      : plan.depthBlocks == 1 ? zeros : e.branch(if: isFirst) { zeros } else: { sumsSoFar() }
    var sums: [LLVMValue]
    if plan.segmentsPerCall == 1 {
      sums = segment(rowPointers, b, start)
    } else {
      let bytes = plan.segmentLength * vectors * lanes * plan.spec.dtype.byteSize
      sums = e.bottomTestedLoop(from: segments.0, to: segments.1, carrying: start) { index, sums in
        let offset = e.mul(plan.segmentOffset(e, index), plan.spec.dtype.byteSize)
        let pointers = rowPointers.map { e.offset($0, bytes: offset) }
        let panel = e.offset(b, bytes: e.mul(e.sub(index, segments.0), bytes))
        return segment(pointers, panel, sums)
      }
    }
    for (index, sum) in sums.enumerated() {
      e.storeRaw(sum, tileAddress(index), align: lanes * 4)
    }
  }

  private func tileAddress(_ index: Int) -> LLVMValue { e.offset(c, bytes: index * lanes * 4) }

  /// Adds one contiguous run of depth to the sums.
  private func segment(
    _ a: [LLVMValue], _ b: LLVMValue, _ start: [LLVMValue]
  ) -> [LLVMValue] {
    let unroll = ContractionPlan.unroll
    if plan.hasEqualBlocks {
      let count = plan.blockLength / plan.elementsPerStep
      let whole = count / unroll * unroll
      var sums = e.loop(from: 0, to: whole, step: unroll, carrying: start) { k, sums in
        prefetch(k)
        return (0..<unroll).reduce(sums) { step(a, b, k, plus: $1, $0) }
      }
      for rest in whole..<count { sums = step(a, b, e.int(rest), plus: 0, sums) }
      return sums
    }
    let whole = e.mul(e.div(steps, unroll), unroll)
    let sums = e.loop(from: e.int(0), to: whole, step: unroll, carrying: start) { k, sums in
      prefetch(k)
      return (0..<unroll).reduce(sums) { step(a, b, k, plus: $1, $0) }
    }
    return e.loop(from: whole, to: steps, carrying: sums) { k, sums in
      step(a, b, k, plus: 0, sums)
    }
  }

  private func prefetch(_ k: LLVMValue) {
    e.prefetch(
      e.offset(ahead, bytes: e.mul(k, Microkernel.line / ContractionPlan.unroll)), level: .second)
  }

  /// One step: one element (f32), a pair (bf16) or four (q8) of every row.
  private func step(
    _ a: [LLVMValue], _ b: LLVMValue, _ k: LLVMValue, plus: Int, _ sums: [LLVMValue]
  ) -> [LLVMValue] {
    // A step is four bytes of a row and four bytes of each channel in all element types.
    let vectorBytes = lanes * 4
    let aBytes = e.mul(k, 4)
    let bPointer = e.offset(b, bytes: e.mul(k, vectors * vectorBytes))
    func weight(_ j: Int, _ type: LLVMType) -> LLVMValue {
      let address = e.offset(bPointer, bytes: (plus * vectors + j) * vectorBytes)
      return e.builder.load(type, address, align: vectorBytes)
    }
    func input(_ i: Int, _ type: LLVMType, align: Int) -> LLVMValue {
      let address = e.offset(e.offset(a[i], bytes: aBytes), bytes: plus * 4)
      return e.splat(e.builder.load(type, address, align: align), lanes)
    }
    var sums = sums
    if plan.spec.dtype == .f32 {
      let weights = (0..<vectors).map { weight($0, e.floatType(lanes)) }
      for i in 0..<rows {
        let x = input(i, e.f32, align: 4)
        for j in 0..<vectors {
          sums[i * vectors + j] = e.fma(x, weights[j], sums[i * vectors + j])
        }
      }
      return sums
    }
    let weights = (0..<vectors).map { weight($0, e.intType(lanes)) }
    if plan.spec.dtype == .q8 {
      let quads = ByteQuads(e, lanes: lanes)
      for i in 0..<rows {
        let x = input(i, e.i32, align: 1)
        for j in 0..<vectors {
          sums[i * vectors + j] = quads.dot(x, weights[j], sums[i * vectors + j])
        }
      }
      return sums
    }
    let pairs = BF16Pairs(e, lanes: lanes)
    let prepared = weights.map(pairs.prepare)
    for i in 0..<rows {
      let x = pairs.prepare(input(i, e.i32, align: 2))
      for j in 0..<vectors {
        sums[i * vectors + j] = pairs.dot(x, prepared[j], sums[i * vectors + j])
      }
    }
    return sums
  }
}
