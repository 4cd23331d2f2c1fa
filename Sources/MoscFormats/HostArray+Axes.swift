/// Rearrangements of axes and samples: they move elements and never read them as numbers.
extension HostArray {
  /// The axes in another order: axis `i` of the result is axis `axes[i]` of this.
  package func transposed(_ axes: [Int]) -> HostArray {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in stride(from: shape.count - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    let extents = axes.map { shape[$0] }
    return HostArray(
      dtype: dtype, shape: extents,
      bytes: bytes.withUnsafeBytes {
        StridedCopy.rowMajor(
          $0, elementSize: dtype.byteSize, shape: extents, strides: axes.map { strides[$0] })
      })
  }

  /// `[n,c,h,w]` as `[n,h,w,c]`.
  package var channelsLast: HostArray { transposed([0, 2, 3, 1]) }

  /// `[n,h,w,c]` as `[n,c,h,w]`.
  package var channelsFirst: HostArray { transposed([0, 3, 1, 2]) }

  /// The samples `range` along the first axis.
  package func samples(_ range: Range<Int>) -> HostArray {
    let stride = bytes.count / max(1, shape[0])
    return HostArray(
      dtype: dtype, shape: [range.count] + shape.dropFirst(),
      bytes: Array(bytes[range.lowerBound * stride..<range.upperBound * stride]))
  }

  /// Arrays of one type, one after the other along the first axis.
  package static func stacked(_ arrays: [HostArray]) -> HostArray {
    HostArray(
      dtype: arrays[0].dtype,
      shape: [arrays.reduce(0) { $0 + $1.shape[0] }] + arrays[0].shape.dropFirst(),
      bytes: arrays.flatMap(\.bytes))
  }
}
