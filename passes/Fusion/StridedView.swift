/// Memory of a dense tensor seen through slices and reshapes: one stride per axis and an offset.
package struct StridedView: Hashable, Sendable {
  package private(set) var shape: [Int]
  /// Elements between neighbours along each axis.
  package private(set) var strides: [Int]
  /// The position of the first element.
  package private(set) var offset: Int

  /// The whole of a dense tensor.
  package init(dense shape: [Int]) {
    self.shape = shape
    strides = Array(repeating: 1, count: shape.count)
    offset = 0
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
  }

  /// A range of an axis.
  package func slice(axis: Int, from: Int, to: Int) -> StridedView {
    var view = self
    view.offset += from * strides[axis]
    view.shape[axis] = to - from
    return view
  }

  /// The same elements with another shape, or nil when no strides describe it.
  ///
  /// Old and new axes are walked together in runs of equal element count; a run of old axes can be
  /// cut anew only if its memory has no gaps.
  package func reshape(to newShape: [Int]) -> StridedView? {
    let old = shape.indices.filter { shape[$0] != 1 }
    var newStrides = [Int](repeating: 1, count: newShape.count)
    var (oldStart, newStart) = (0, 0)
    while oldStart < old.count, newStart < newShape.count {
      var (oldEnd, newEnd) = (oldStart + 1, newStart + 1)
      var (oldCount, newCount) = (shape[old[oldStart]], newShape[newStart])
      while oldCount != newCount {
        if newCount < oldCount {
          guard newEnd < newShape.count else { return nil }
          newCount *= newShape[newEnd]
          newEnd += 1
        } else {
          guard oldEnd < old.count else { return nil }
          oldCount *= shape[old[oldEnd]]
          oldEnd += 1
        }
      }
      for k in oldStart..<oldEnd - 1
      where strides[old[k]] != shape[old[k + 1]] * strides[old[k + 1]] { return nil }
      newStrides[newEnd - 1] = strides[old[oldEnd - 1]]
      for k in (newStart..<newEnd - 1).reversed() {
        newStrides[k] = newStrides[k + 1] * newShape[k + 1]
      }
      (oldStart, newStart) = (oldEnd, newEnd)
    }
    var view = self
    view.shape = newShape
    view.strides = newStrides
    return view
  }
}
