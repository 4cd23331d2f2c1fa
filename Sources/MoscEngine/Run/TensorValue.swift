/// The numbers of a tensor on their way between files, schedulers and kernels.
package struct TensorValue: Hashable, Sendable {
  /// The numbers, in row-major order.
  package enum Elements: Hashable, Sendable {
    case floats([Float])
    case ints([Int32])
  }

  package var shape: [Int]
  package var elements: Elements

  package init(_ shape: [Int], _ floats: [Float]) {
    self.shape = shape
    elements = .floats(floats)
  }

  package init(_ shape: [Int], _ ints: [Int32]) {
    self.shape = shape
    elements = .ints(ints)
  }

  /// The number of elements.
  package var count: Int { shape.reduce(1, *) }

  /// The numbers as floats.
  package var floats: [Float] {
    switch elements {
    case .floats(let values): values
    case .ints(let values): values.map(Float.init)
    }
  }

  /// The numbers as integers, truncated.
  package var ints: [Int32] {
    switch elements {
    case .floats(let values): values.map { Int32($0) }
    case .ints(let values): values
    }
  }

  /// The axes in another order: axis `i` of the result is axis `axes[i]` of this.
  package func transposed(_ axes: [Int]) -> TensorValue {
    var result = self
    result.shape = axes.map { shape[$0] }
    switch elements {
    case .floats(let values): result.elements = .floats(gather(values, axes))
    case .ints(let values): result.elements = .ints(gather(values, axes))
    }
    return result
  }

  /// `[n,c,h,w]` as `[n,h,w,c]`.
  package var channelsLast: TensorValue { transposed([0, 2, 3, 1]) }

  /// `[n,h,w,c]` as `[n,c,h,w]`.
  package var channelsFirst: TensorValue { transposed([0, 3, 1, 2]) }

  /// The samples `range` along the first axis.
  package func samples(_ range: Range<Int>) -> TensorValue {
    let stride = count / max(1, shape[0])
    let bounds = range.lowerBound * stride..<range.upperBound * stride
    let shape = [range.count] + self.shape.dropFirst()
    switch elements {
    case .floats(let values): return TensorValue(shape, Array(values[bounds]))
    case .ints(let values): return TensorValue(shape, Array(values[bounds]))
    }
  }

  /// The arrays one after the other along the first axis.
  package static func stacked(_ arrays: [TensorValue]) -> TensorValue {
    let shape = [arrays.reduce(0) { $0 + $1.shape[0] }] + arrays[0].shape.dropFirst()
    return TensorValue(shape, arrays.flatMap(\.floats))
  }

  private func gather<T>(_ values: [T], _ axes: [Int]) -> [T] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in stride(from: shape.count - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    let extents = axes.map { shape[$0] }
    let steps = axes.map { strides[$0] }
    var result: [T] = []
    result.reserveCapacity(values.count)
    var index = [Int](repeating: 0, count: axes.count)
    var source = 0
    for _ in 0..<values.count {
      result.append(values[source])
      var axis = axes.count - 1
      while axis >= 0 {
        index[axis] += 1
        source += steps[axis]
        if index[axis] < extents[axis] { break }
        source -= steps[axis] * extents[axis]
        index[axis] = 0
        axis -= 1
      }
    }
    return result
  }
}
