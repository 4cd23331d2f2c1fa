/// How the elements of a tensor lie in memory; the logical value does not depend on it.
package enum Layout: Hashable, Sendable {
  /// Row-major, no gaps.
  case dense
  /// Contraction weights in column panels of the given width: see `Pack`.
  case panel(Int)
}

/// The static type of a value: element type, shape and memory layout.
package struct TensorType: Hashable, Sendable {
  package var dtype: DType
  package var shape: [Int]
  package var layout: Layout

  package init(_ dtype: DType, _ shape: [Int], layout: Layout = .dense) {
    self.dtype = dtype
    self.shape = shape
    self.layout = layout
  }

  /// A dense `f32` type.
  package static func f32(_ shape: Int...) -> TensorType { TensorType(.f32, shape) }

  /// A dense `i32` type.
  package static func i32(_ shape: Int...) -> TensorType { TensorType(.i32, shape) }

  /// No tensor has more elements, so that counts, bytes and products with one extent fit in an `Int`.
  package static let mostElements = 1 << 40

  /// Whether a shape has no negative extent and not too many elements.
  package static func isBounded(_ shape: [Int]) -> Bool {
    var count = 1
    for extent in shape {
      let (product, overflows) = count.multipliedReportingOverflow(by: max(extent, 1))
      guard extent >= 0, !overflows, product <= mostElements else { return false }
      count = product
    }
    return true
  }

  /// The number of dimensions.
  package var rank: Int { shape.count }

  /// The number of logical elements.
  package var count: Int { shape.reduce(1, *) }

  /// The last extent, 1 for a scalar.
  package var lastExtent: Int { shape.last ?? 1 }

  /// The product of all extents but the last.
  package var rows: Int { shape.dropLast().reduce(1, *) }

  /// The bytes a buffer of this type takes; a panel layout may hold zero padding, which needs
  /// the number of vector lanes its last panel was rounded to. Scales of `q8` lie with the numbers:
  /// one behind each row, or, in panels, two numbers per column and tap.
  package func byteCount(lanes: Int = 16) -> Int {
    switch layout {
    case .dense:
      return count * dtype.byteSize + (dtype == .q8 ? rows * QuantisedRow.scaleBytes : 0)
    case .panel(let width):
      guard let columns = shape.first, columns > 0 else { return 0 }
      let full = columns / width * width
      let rest = (columns - full + lanes - 1) / lanes * lanes
      let taps = shape.dropFirst(2).reduce(1, *)
      let scales = dtype == .q8 ? taps * QuantisedRow.panelScaleBytes : 0
      return (full + rest) * (count / columns * dtype.byteSize + scales)
    }
  }

  /// Row-major strides in elements.
  package var strides: [Int] {
    var result = [Int](repeating: 1, count: rank)
    for axis in stride(from: rank - 2, through: 0, by: -1) {
      result[axis] = result[axis + 1] * shape[axis + 1]
    }
    return result
  }

  /// The same shape and layout with another element type.
  package func with(dtype: DType) -> TensorType { TensorType(dtype, shape, layout: layout) }

  /// The same element type, dense, with another shape.
  package func with(shape: [Int]) -> TensorType { TensorType(dtype, shape) }
}

extension TensorType: CustomStringConvertible {
  package var description: String {
    let dims = shape.map(String.init).joined(separator: ",")
    switch layout {
    case .dense: return "\(dtype.rawValue)[\(dims)]"
    case .panel(let width): return "\(dtype.rawValue)[\(dims)]@panel\(width)"
    }
  }
}
