import MoscIR
import MoscLLVM

/// A matrix product or convolution over packed weights, every number static.
///
/// `y[m, n] = Σ_{ky,kx,c} a[m at (ky,kx), c] · w[n, c, ky, kx]` for the flattened
/// output row `m = (image · outputHeight + y) · outputWidth + x`. The input is read at element
/// `inputOffset + image · imagePitch + (y·stride + ky) · rowPitch + (x·stride + kx) · pixelPitch
/// + c`; it is already padded. A linear map is a convolution with a 1×1 kernel over an image of one row.
package struct ContractionSpec: Hashable, Sendable {
  /// Images.
  package var batch = 1
  /// Output rows of pixels.
  package var outputHeight = 1
  /// Output pixels of a row.
  package var outputWidth: Int
  /// Output channels.
  package var columns: Int
  /// Kernel rows.
  package var kernelHeight = 1
  /// Kernel columns.
  package var kernelWidth = 1
  /// Input channels.
  package var channels: Int
  /// Input pixels from one output pixel to the next.
  package var stride = 1
  /// The element type of input and weights: f32, bf16 or q8.
  package var dtype: DType
  /// The first element of the input read.
  package var inputOffset = 0
  /// Elements from one input pixel to the next.
  package var pixelPitch: Int
  /// Elements from one input row to the next.
  package var rowPitch: Int
  /// Elements from one input image to the next.
  package var imagePitch: Int
  /// Whether blocks of depth whose inputs are zero are passed over.
  package var skipsZeros = false
  /// How the work is cut.
  package var tile: Tile

  /// A linear map of `rows` rows of `depth` channels that are `pitch` elements apart; those of q8 have
  /// their scales behind them.
  package init(
    linearRows rows: Int, depth: Int, columns: Int, dtype: DType, pitch: Int? = nil,
    inputOffset: Int = 0, tile: Tile
  ) {
    outputWidth = rows
    self.columns = columns
    channels = depth
    self.dtype = dtype
    self.inputOffset = inputOffset
    pixelPitch = pitch ?? depth + (dtype == .q8 ? QuantisedRow.scaleBytes : 0)
    rowPitch = rows * pixelPitch
    imagePitch = rows * pixelPitch
    self.tile = tile
  }

  /// A convolution of a dense, already padded input `[batch, height, width, channels]` with filters
  /// `[columns, channels, height, width]`.
  package init(image: [Int], filters: [Int], stride: Int = 1, dtype: DType, tile: Tile) {
    batch = image[0]
    outputHeight = (image[1] - filters[2]) / stride + 1
    outputWidth = (image[2] - filters[3]) / stride + 1
    columns = filters[0]
    kernelHeight = filters[2]
    kernelWidth = filters[3]
    channels = image[3]
    self.stride = stride
    self.dtype = dtype
    pixelPitch = image[3]
    rowPitch = image[2] * image[3]
    imagePitch = image[1] * image[2] * image[3]
    self.tile = tile
  }

  /// Output rows: pixels or tokens of all images.
  package var rows: Int { batch * outputHeight * outputWidth }
  /// Products summed into one output.
  package var depth: Int { kernelHeight * kernelWidth * channels }
  /// Bytes before the numbers of each packed column: scales and corrections of q8.
  package var headerBytes: Int { dtype == .q8 ? QuantisedRow.panelScaleBytes : 0 }
  /// Floating-point operations, two per product.
  package var flops: Int { 2 * rows * columns * depth }

  /// Whether sums of this contraction can be added to those of another where they lie.
  func continues(_ other: ContractionSpec) -> Bool {
    rows == other.rows && columns == other.columns && dtype == other.dtype && dtype != .q8
      && tile.cutsAlike(other.tile)
  }

  /// Throws when the numbers contradict each other.
  func check(_ target: TargetFacts) throws(EmitError) {
    let positive = [
      batch, outputHeight, outputWidth, columns, kernelHeight, kernelWidth, channels, stride,
    ]
    try EmitError.require(
      positive.allSatisfy { $0 > 0 }, "contraction extents must be positive, found \(positive)")
    try EmitError.require(
      dtype.panelGroup.map { channels % $0 == 0 } ?? false,
      "contraction operands must be f32, bf16 of even depth or q8 of a multiple of 4; "
        + "found \(dtype) of \(channels)")
    try EmitError.require(
      dtype != .q8 || (kernelHeight == 1 && kernelWidth == 1 && stride == 1),
      "q8 pixels have scales of their own and cannot be summed, found a kernel of "
        + "\(kernelHeight)×\(kernelWidth)")
    try EmitError.require(
      tile.columns > 0 && tile.columns % target.lanes == 0,
      "tile columns \(tile.columns) are no multiple of \(target.lanes) lanes")
    try EmitError.require(
      tile.numbers.allSatisfy { $0 > 0 } && tile.blockRows % tile.rows == 0
        && tile.blockColumns % tile.columns == 0,
      "cache blocks must be whole register tiles, found the tile \(tile.numbers)")
  }
}
