import MoscIR
import MoscLLVM

/// What a packing kernel converts: dense weights `[columns, channels, taps]` to panels.
package struct PackSpec: Hashable, Sendable {
  /// Output channels.
  package var columns: Int
  /// Input channels.
  package var channels: Int
  /// Kernel positions, 1 for linear maps.
  package var taps: Int
  /// The element type of the dense weights: f32, f16 or bf16.
  package var source: DType
  /// The element type of the panels: f32, bf16 or q8.
  package var dtype: DType
  /// Columns of a panel.
  package var panel: Int
  /// For weights that lie transposed, columns side by side: elements from one depth index to the
  /// next. One tap.
  package var depthPitch: Int?
  /// How 3×3 filters are transformed on the way, so that panels have a tap per point; nil for not.
  package var winograd: WinogradTransform?

  /// Describes one packing kernel.
  package init(
    columns: Int, channels: Int, taps: Int, source: DType, dtype: DType, panel: Int,
    winograd: WinogradTransform? = nil
  ) {
    self.columns = columns
    self.channels = channels
    self.taps = taps
    self.source = source
    self.dtype = dtype
    self.panel = panel
    self.winograd = winograd
  }

  /// Elements of one column of the source.
  package var sourceDepth: Int { channels * taps }
  /// Taps in the panels.
  package var packedTaps: Int { winograd?.points ?? taps }
  /// Elements of one column of the panels.
  package var depth: Int { channels * packedTaps }
  /// Bytes of one column of the panels.
  var columnBytes: Int {
    depth * dtype.byteSize + (dtype == .q8 ? packedTaps * QuantisedRow.panelScaleBytes : 0)
  }
}

/// Writes kernels that rearrange dense weights in the panels that contractions read.
///
/// Panel p holds columns `p·panel ..< (p+1)·panel`; the last one is as wide as what is left,
/// rounded up to whole vectors with zeros. Depth is ordered (tap, channel). With g = 1, 2 or 4 elements
/// of f32, bf16 or q8 in four bytes, element (k, j) is at `(k/g)·g·width + g·j + k%g`, in q8 behind
/// the scales and corrections of all taps. A task packs one vector of columns: chunks
/// of channels are transposed into stack memory in source order, then stored in depth order.
/// Columns that lie side by side are copied.
package enum PackKernel {
  /// The number of independent tasks.
  package static func tasks(_ spec: PackSpec, _ target: TargetFacts) -> Int {
    let perPanel = spec.panel / target.lanes
    let rest = (spec.columns % spec.panel + target.lanes - 1) / target.lanes
    return spec.columns / spec.panel * perPanel + rest
  }

  /// Writes the code of task `task`; the source may have any alignment, panels have 64 bytes.
  package static func emit(
    _ e: FunctionEmitter, _ spec: PackSpec, task: LLVMValue, source: LLVMValue, panels: LLVMValue
  ) throws {
    try EmitError.require(
      spec.columns > 0 && spec.channels > 0 && spec.taps > 0 && spec.panel > 0
        && spec.panel % e.lanes == 0,
      "cannot pack \(spec.columns)×\(spec.channels)×\(spec.taps) weights in panels of "
        + "\(spec.panel) for \(e.lanes) lanes")
    try EmitError.require(
      spec.source.isFloat && spec.dtype.panelGroup != nil,
      "panels hold f32, bf16 or q8 made from floats, found \(spec.source) to \(spec.dtype)")
    try EmitError.require(
      spec.channels % (spec.dtype.panelGroup ?? 1) == 0,
      "\(spec.dtype) panels need whole groups of channels, found \(spec.channels)")
    try EmitError.require(
      spec.dtype != .q8 || spec.depthPitch == nil,
      "q8 panels are made from weights in the order of checkpoints")
    try EmitError.require(
      spec.winograd == nil || (spec.taps == 9 && spec.depthPitch == nil),
      "only 3×3 filters can be transformed, found \(spec.taps) taps")
    if spec.depthPitch != nil {
      TransposedPackEmitter(e, spec, task: task, source: source, panels: panels).write()
    } else if spec.dtype == .q8 {
      QuantisedPackEmitter(e, spec, task: task, source: source, panels: panels).write()
    } else {
      PackEmitter(e, spec, task: task, source: source, panels: panels).write()
    }
  }
}

/// The place in the panels that a task writes.
struct PackTarget {
  let firstColumn: LLVMValue
  /// Which lanes are columns of the weights.
  let valid: LLVMValue
  /// The first vector of depth 0, and the bytes from one depth step to the next.
  let destination: LLVMValue
  let stepBytes: LLVMValue
  /// The scales of the first tap; its corrections are a step further, other taps two steps apart.
  let scales: LLVMValue

  init(_ e: FunctionEmitter, _ spec: PackSpec, task: LLVMValue, panels: LLVMValue) {
    let lanes = e.lanes
    let perPanel = spec.panel / lanes
    firstColumn = e.mul(task, lanes)
    let left = e.builder.cast(.trunc, e.sub(e.int(spec.columns), firstColumn), e.i32)
    valid = e.builder.compare(.less, e.laneNumbers(lanes), e.splat(left, lanes))
    let panel = e.div(task, perPanel)
    let start = e.mul(panel, spec.panel * spec.columnBytes)
    scales = e.offset(
      panels, bytes: e.add(start, e.mul(e.rem(task, perPanel), lanes * 4)))
    let fullPanels = spec.columns / spec.panel
    let rest = (spec.columns % spec.panel + lanes - 1) / lanes
    let isFull = e.builder.compare(.less, panel, e.int(fullPanels))
    stepBytes = e.builder.select(
      isFull, e.int(spec.panel * 4), e.int(rest * lanes * 4))
    destination =
      spec.dtype == .q8 ? e.offset(scales, bytes: e.mul(stepBytes, 2 * spec.packedTaps)) : scales
  }

  /// Stores the word of one vector of columns: an f32 number, a pair of bf16, or four integers of
  /// consecutive depth indices.
  func store(_ e: FunctionEmitter, _ spec: PackSpec, depth: LLVMValue, _ row: (Int) -> LLVMValue) {
    let group = spec.dtype.panelGroup ?? 1
    let address = e.offset(destination, bytes: e.mul(e.div(depth, group), stepBytes))
    if spec.dtype == .f32 {
      e.storeRaw(row(0), address, align: e.lanes * 4)
      return
    }
    let bits = 32 / group
    let parts = (0..<group).map { index -> LLVMValue in
      let part =
        spec.dtype == .bf16
        ? e.builder.cast(.zext, e.toBF16(row(index)), e.intType(e.lanes))
        : e.builder.binary(.and, e.roundedBits(row(index)), e.int(255, type: e.intType(e.lanes)))
      return e.shl(part, index * bits)
    }
    let word = parts.dropFirst().reduce(parts[0]) { e.builder.binary(.or, $0, $1) }
    e.storeRaw(word, address, align: e.lanes * 4)
  }
}
