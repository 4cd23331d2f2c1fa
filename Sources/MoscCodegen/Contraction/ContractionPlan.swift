import MoscIR
import MoscLLVM

/// The static loop structure of a contraction: how depth is cut, how rows are addressed, how many
/// tasks there are.
struct ContractionPlan {
  let spec: ContractionSpec
  let lanes: Int
  let tile: Tile

  /// Runs of input elements that are contiguous for one output row.
  ///
  /// Where pixels touch each other a row of taps is one run; else every tap is one.
  let segments: Int
  /// Elements of one segment.
  let segmentLength: Int
  /// Elements of a depth block within a segment; the last block of a segment may be shorter.
  let blockLength: Int
  /// Segments summed by one call of the inner kernel; more than one when segments are short.
  let segmentsPerCall: Int
  /// Whether the rows of a register tile are a constant distance apart in the input.
  let hasUniformRows: Bool

  /// Whether sums are those of another contraction at first.
  let continues: Bool

  /// Inner steps consume four bytes: one element (f32), a pair (bf16) or four (q8).
  let elementsPerStep: Int
  static let unroll = 4

  init(_ spec: ContractionSpec, lanes: Int, continues: Bool = false) {
    self.spec = spec
    self.continues = continues
    self.lanes = lanes
    tile = spec.tile
    let touching = spec.pixelPitch == spec.channels && spec.dtype != .q8
    segments = touching ? spec.kernelHeight : spec.kernelHeight * spec.kernelWidth
    segmentLength = touching ? spec.kernelWidth * spec.channels : spec.channels
    elementsPerStep = spec.dtype.panelGroup ?? 1
    let limit = tile.blockDepth
    let merges = segments > 1 && segmentLength * 2 <= limit
    segmentsPerCall = merges ? min(segments, limit / segmentLength) : 1
    blockLength =
      merges ? segmentLength : Self.blockLength(segmentLength, limit, elementsPerStep * Self.unroll)
    let flat =
      spec.rowPitch == spec.outputWidth * spec.pixelPitch && spec.stride == 1
      && (spec.batch == 1 || spec.imagePitch == spec.outputHeight * spec.rowPitch)
    let oneRow = spec.batch == 1 && spec.outputHeight == 1
    let wholeTiles = spec.rows % tile.rows == 0
    hasUniformRows =
      wholeTiles && (flat || oneRow || spec.outputWidth % tile.rows == 0)
  }

  /// The longest block that divides the segment and is no shorter than half the limit, or else
  /// nearly equal blocks.
  private static func blockLength(_ length: Int, _ limit: Int, _ unit: Int) -> Int {
    if length <= limit { return length }
    let largest = limit / unit * unit
    for candidate in stride(from: largest, through: limit / 2, by: -unit)
    where candidate > 0 && length % candidate == 0 {
      return candidate
    }
    let blocks = (length + limit - 1) / limit
    return ((length + blocks - 1) / blocks + unit - 1) / unit * unit
  }

  var blocksPerSegment: Int { (segmentLength + blockLength - 1) / blockLength }
  /// Calls of the inner kernel that make up one output tile.
  var depthBlocks: Int {
    (segments + segmentsPerCall - 1) / segmentsPerCall * blocksPerSegment
  }
  /// Whether every depth block has the same number of steps.
  var hasEqualBlocks: Bool { segmentLength % blockLength == 0 }

  // MARK: Columns

  var fullPanels: Int { spec.columns / tile.columns }
  /// Columns of the narrower last panel, 0 for none.
  var tailColumns: Int { spec.columns % tile.columns }
  /// Vectors of a panel.
  func vectors(tail: Bool) -> Int {
    tail ? (tailColumns + lanes - 1) / lanes : tile.columns / lanes
  }
  var panels: Int { fullPanels + (tailColumns > 0 ? 1 : 0) }
  var panelsPerBlock: Int { tile.blockColumns / tile.columns }

  // MARK: Tasks

  var rowBlocks: Int { (spec.rows + tile.blockRows - 1) / tile.blockRows }
  var columnBlocks: Int { (panels + panelsPerBlock - 1) / panelsPerBlock }
  var tasks: Int { rowBlocks * columnBlocks }
  var tilesPerBlock: Int { tile.blockRows / tile.rows }

  /// Bytes of one register tile of partial sums.
  var tileBytes: Int { tile.rows * tile.columns * 4 }
  /// Bytes of partial sums of one task: all tiles when depth is cut, else one tile.
  var scratchBytes: Int {
    depthBlocks == 1 ? tileBytes : tileBytes * tilesPerBlock * min(panelsPerBlock, panels)
  }

  /// The element type of partial sums.
  var sumType: DType { spec.dtype == .q8 ? .i32 : .f32 }

  /// The element offset of a segment relative to the first.
  func segmentOffset(_ e: FunctionEmitter, _ segment: LLVMValue) -> LLVMValue {
    if spec.pixelPitch == spec.channels { return e.mul(segment, spec.rowPitch) }
    return e.add(
      e.mul(e.div(segment, spec.kernelWidth), spec.rowPitch),
      e.mul(e.rem(segment, spec.kernelWidth), spec.pixelPitch))
  }

  /// The element offset of an output row's input relative to `inputOffset`.
  func rowOffset(_ e: FunctionEmitter, _ row: LLVMValue) -> LLVMValue {
    let x = e.rem(row, spec.outputWidth)
    let line = e.div(row, spec.outputWidth)
    let y = e.rem(line, spec.outputHeight)
    let image = e.div(line, spec.outputHeight)
    return e.add(
      e.add(e.mul(image, spec.imagePitch), e.mul(y, spec.stride * spec.rowPitch)),
      e.mul(x, spec.stride * spec.pixelPitch))
  }
}
