import MoscIR
import MoscLLVM

/// What a repacking kernel converts: the panels of weights `[columns, channels, taps]` to those of
/// `[channels, columns, taps reversed]`.
package struct RepackSpec: Hashable, Sendable {
  /// Output channels of the source.
  package var columns: Int
  /// Input channels of the source.
  package var channels: Int
  /// Kernel positions, 1 for linear maps.
  package var taps: Int
  /// The element type: f32 or bf16.
  package var dtype: DType
  /// Columns of a panel of the source.
  package var from: Int
  /// Columns of a panel of the result.
  package var to: Int

  /// Describes one repacking kernel.
  package init(columns: Int, channels: Int, taps: Int, dtype: DType, from: Int, to: Int) {
    self.columns = columns
    self.channels = channels
    self.taps = taps
    self.dtype = dtype
    self.from = from
    self.to = to
  }
}

/// Writes kernels that make the panels of a backward pass from those of the forward pass.
///
/// A task writes one vector of the result's columns, which are input channels of the source: it
/// loads a vector of source columns for each of them and transposes. Both sides are read and
/// written in whole vectors.
package enum RepackKernel {
  /// The number of independent tasks.
  package static func tasks(_ spec: RepackSpec, _ target: TargetFacts) -> Int {
    PackKernel.tasks(packed(spec), target)
  }

  /// The result as what a packing kernel would write.
  fileprivate static func packed(_ spec: RepackSpec) -> PackSpec {
    PackSpec(
      columns: spec.channels, channels: spec.columns, taps: spec.taps, source: spec.dtype,
      dtype: spec.dtype, panel: spec.to)
  }

  /// Writes the code of task `task`; both panels are aligned to 64 bytes.
  package static func emit(
    _ e: FunctionEmitter, _ spec: RepackSpec, task: LLVMValue, source: LLVMValue, panels: LLVMValue
  ) throws {
    try EmitError.require(
      spec.from % e.lanes == 0 && spec.to % e.lanes == 0,
      "panels of \(spec.from) and \(spec.to) columns are not whole vectors of \(e.lanes)")
    try EmitError.require(
      spec.dtype == .f32
        || (spec.dtype == .bf16 && spec.columns % 2 == 0 && spec.channels % 2 == 0),
      "repacking takes f32, or bf16 of even extents; found \(spec.dtype)")
    RepackEmitter(e, spec, task: task, source: source, panels: panels).write()
  }
}

private struct RepackEmitter {
  let e: FunctionEmitter
  let spec: RepackSpec
  let target: PackTarget
  let packed: PackSpec
  let source: LLVMValue
  let lanes: Int

  init(
    _ e: FunctionEmitter, _ spec: RepackSpec, task: LLVMValue, source: LLVMValue, panels: LLVMValue
  ) {
    self.e = e
    self.spec = spec
    self.source = source
    packed = RepackKernel.packed(spec)
    target = PackTarget(e, packed, task: task, panels: panels)
    lanes = e.lanes
  }

  private var hasPairs: Bool { spec.dtype == .bf16 }
  private var depth: Int { spec.taps * spec.channels }

  func write() {
    let full = spec.columns / spec.from
    let rest = spec.columns % spec.from
    e.loop(from: 0, to: spec.taps) { tap, _ in
      e.loop(from: 0, to: full) { panel, _ in
        move(tap, panel, width: spec.from, valid: spec.from)
        return []
      }
      if rest > 0 {
        move(tap, e.int(full), width: (rest + lanes - 1) / lanes * lanes, valid: rest)
      }
      return []
    }
  }

  /// Moves what one panel holds of this task's channels at one tap.
  private func move(_ tap: LLVMValue, _ panel: LLVMValue, width: Int, valid: Int) {
    let base = e.offset(source, bytes: e.mul(panel, spec.from * depth * spec.dtype.byteSize))
    let whole = valid / lanes * lanes
    e.loop(from: 0, to: whole, step: lanes) { column, _ in
      moveBlock(tap, panel, base, column, width: width, count: lanes)
      return []
    }
    if whole < valid {
      moveBlock(tap, panel, base, e.int(whole), width: width, count: valid - whole)
    }
  }

  private func moveBlock(
    _ tap: LLVMValue, _ panel: LLVMValue, _ base: LLVMValue, _ column: LLVMValue, width: Int,
    count: Int
  ) {
    let rows = hasPairs ? pairedRows(tap, base, column, width) : plainRows(tap, base, column, width)
    let zero = e.float(0, lanes: lanes)
    let columns = e.transpose(rows).prefix(count).map { e.builder.select(target.valid, $0, zero) }
    let mirrored = e.sub(e.int(spec.taps - 1), tap)
    let first = e.add(e.mul(mirrored, spec.columns), e.add(e.mul(panel, spec.from), column))
    let step = hasPairs ? 2 : 1
    for index in stride(from: 0, to: count, by: step) {
      target.store(e, packed, depth: e.add(first, index)) { columns[index + $0] }
    }
  }

  /// A vector of source columns for each of the task's channels.
  private func plainRows(
    _ tap: LLVMValue, _ base: LLVMValue, _ column: LLVMValue, _ width: Int
  ) -> [LLVMValue] {
    (0..<lanes).map { lane in
      let channel = e.min(e.add(target.firstColumn, lane), spec.channels - 1)
      let index = e.add(
        e.mul(e.add(e.mul(tap, spec.channels), channel), width), column)
      return e.load(.f32, e.element(base, index, .f32), lanes: lanes, align: lanes * 4)
    }
  }

  /// The same from words that pair two channels.
  private func pairedRows(
    _ tap: LLVMValue, _ base: LLVMValue, _ column: LLVMValue, _ width: Int
  ) -> [LLVMValue] {
    (0..<lanes / 2).flatMap { pair in
      let channel = e.min(e.add(target.firstColumn, 2 * pair), spec.channels - 2)
      let row = e.div(e.add(e.mul(tap, spec.channels), channel), 2)
      let index = e.add(e.mul(row, width), column)
      let words = e.builder.load(
        e.intType(lanes), e.element(base, index, .f32), align: lanes * 4)
      let high = e.builder.binary(.and, words, e.int(-65_536, like: words))
      return [e.fromBits(e.shl(words, 16)), e.fromBits(high)]
    }
  }
}
