import MoscIR
import MoscLLVM

/// Copies vectors of columns that lie side by side.
struct TransposedPackEmitter {
  let e: FunctionEmitter
  let spec: PackSpec
  let target: PackTarget
  let source: LLVMValue

  init(
    _ e: FunctionEmitter, _ spec: PackSpec, task: LLVMValue, source: LLVMValue, panels: LLVMValue
  ) {
    self.e = e
    self.spec = spec
    target = PackTarget(e, spec, task: task, panels: panels)
    self.source = e.element(source, target.firstColumn, spec.source)
  }

  func write() {
    // Only the last task can have fewer columns than lanes.
    let rest = spec.columns % e.lanes
    if rest == 0 { return copy(count: e.lanes) }
    if spec.columns < e.lanes { return copy(count: rest) }
    let isWhole = e.builder.compare(
      .less, target.firstColumn, e.int(spec.columns / e.lanes * e.lanes))
    e.branch(if: isWhole) {
      copy(count: e.lanes)
      return []
    } else: {
      copy(count: rest)
      return []
    }
  }

  private func copy(count: Int) {
    let pitch = spec.depthPitch ?? spec.columns
    e.loop(from: 0, to: spec.depth, step: spec.dtype.panelGroup ?? 1) { depth, _ in
      target.store(e, spec, depth: depth) { step in
        e.load(
          spec.source, e.element(source, e.mul(e.add(depth, step), pitch), spec.source),
          lanes: e.lanes, count: count)
      }
      return []
    }
  }
}

/// Gathers chunks of channels of a task's columns in stack memory, a vector of columns per element,
/// and packs them.
struct PackEmitter {
  let e: FunctionEmitter
  let spec: PackSpec
  let lanes: Int
  /// The dense elements of each column of this task's vector.
  let columns: [LLVMValue]
  let target: PackTarget
  private let scratch: LLVMValue
  /// Filters after Winograd's transform, one channel after the other; else the scratch.
  private let filters: LLVMValue
  /// Channels transposed at a time.
  let chunk: Int

  init(
    _ e: FunctionEmitter, _ spec: PackSpec, task: LLVMValue, source: LLVMValue, panels: LLVMValue
  ) {
    self.e = e
    self.spec = spec
    lanes = e.lanes
    let target = PackTarget(e, spec, task: task, panels: panels)
    self.target = target
    columns = (0..<e.lanes).map { lane in
      let column = e.min(e.add(target.firstColumn, lane), spec.columns - 1)
      return e.offset(source, bytes: e.mul(column, spec.sourceDepth * spec.source.byteSize))
    }
    chunk = Swift.min(spec.channels, Swift.max(4, 256 / spec.taps / 4 * 4))
    scratch = e.stackSlot(bytes: chunk * spec.taps * lanes * 4)
    filters =
      spec.winograd == nil
      ? scratch : e.stackSlot(bytes: chunk * spec.packedTaps * lanes * 4)
  }

  // The last chunk and the last block of a chunk end where the data ends, moving some elements
  // twice: cheaper to compile than code for the remainders.
  func write() {
    e.loop(from: 0, to: spec.channels, step: chunk) { index, _ in
      let channel = e.min(index, spec.channels - chunk)
      gather(channel)
      move(channel)
      return []
    }
  }

  /// Brings a chunk of channels, transformed, into stack memory.
  func gather(_ channel: LLVMValue) {
    let count = chunk * spec.taps
    let start = e.mul(channel, spec.taps * spec.source.byteSize)
    let block = Swift.min(count, lanes)
    e.loop(from: 0, to: count, step: block) { index, _ in
      gather(start, e.min(index, count - block), count: block)
      return []
    }
    if let winograd = spec.winograd { transform(winograd) }
  }

  private func move(_ channel: LLVMValue) {
    let perStep = spec.dtype.panelGroup ?? 1
    e.loop(from: 0, to: spec.packedTaps) { tap, _ in
      e.loop(from: 0, to: chunk, step: perStep) { local, _ in
        let depth = e.add(e.mul(tap, spec.channels), e.add(channel, local))
        target.store(e, spec, depth: depth) { row(tap, e.add(local, $0)) }
        return []
      }
      return []
    }
  }

  /// Transposes `count` elements of every column into `count` rows of stack memory.
  private func gather(_ start: LLVMValue, _ index: LLVMValue, count: Int) {
    let offset = e.add(start, e.mul(index, spec.source.byteSize))
    let zero = e.float(0, lanes: lanes)
    let rows = columns.map { column in
      e.load(spec.source, e.offset(column, bytes: offset), lanes: lanes, count: count, align: 1)
    }
    let base = e.offset(scratch, bytes: e.mul(index, lanes * 4))
    for (i, row) in e.transpose(rows).prefix(count).enumerated() {
      let kept = e.builder.select(target.valid, row, zero)
      e.store(kept, as: .f32, e.offset(base, bytes: i * lanes * 4), align: lanes * 4)
    }
  }

  /// Transforms the filters of a chunk of channels.
  private func transform(_ winograd: WinogradTransform) {
    let bytes = lanes * 4
    e.loop(from: 0, to: chunk) { channel, _ in
      let from = e.offset(scratch, bytes: e.mul(channel, spec.taps * bytes))
      let to = e.offset(filters, bytes: e.mul(channel, spec.packedTaps * bytes))
      let filter = (0..<spec.taps).map {
        e.load(.f32, e.offset(from, bytes: $0 * bytes), lanes: lanes, align: bytes)
      }
      for (point, value) in e.square(winograd.weight, filter).enumerated() {
        e.store(value, as: .f32, e.offset(to, bytes: point * bytes), align: bytes)
      }
      return []
    }
  }

  /// The columns at one depth index.
  func row(_ tap: LLVMValue, _ channel: LLVMValue) -> LLVMValue {
    let index = e.add(e.mul(channel, spec.packedTaps), tap)
    return e.load(
      .f32, e.offset(filters, bytes: e.mul(index, lanes * 4)), lanes: lanes, align: lanes * 4)
  }
}
