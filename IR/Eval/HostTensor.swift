/// A tensor of the reference evaluator: every element as the f64 that its type can hold.
package struct HostTensor: Hashable, Sendable {
  package var type: TensorType
  package var elements: [Double]

  /// Whether floating-point elements keep all bits of an f64, whatever their type; for differences
  /// quotients, which rounding would swamp.
  @TaskLocal package static var isExact = false

  /// How elements of a type are rounded.
  private static func rounding(_ dtype: DType) -> (Double) -> Double {
    isExact && dtype.isFloat ? { $0 } : { dtype.round($0) }
  }

  /// Rounds the elements to the type.
  package init(_ type: TensorType, _ elements: [Double]) {
    precondition(elements.count == type.count, "element count must match \(type)")
    self.type = type
    self.elements = elements.map(Self.rounding(type.dtype))
  }

  /// Every element the same.
  package init(_ type: TensorType, repeating value: Double) {
    self.init(type, [Double](repeating: value, count: type.count))
  }

  /// Computes each element from its multi-index.
  package init(_ type: TensorType, _ body: (_ index: [Int]) -> Double) {
    let round = Self.rounding(type.dtype)
    var elements: [Double] = []
    elements.reserveCapacity(type.count)
    var index = [Int](repeating: 0, count: type.rank)
    for _ in 0..<type.count {
      elements.append(round(body(index)))
      var axis = type.rank - 1
      while axis >= 0 {
        index[axis] += 1
        if index[axis] < type.shape[axis] { break }
        index[axis] = 0
        axis -= 1
      }
    }
    self.type = type
    self.elements = elements
  }

  /// The element at a multi-index.
  package subscript(index: [Int]) -> Double { elements[offset(index)] }

  /// The row-major position of a multi-index.
  package func offset(_ index: [Int]) -> Int {
    var position = 0
    for (extent, i) in zip(type.shape, index) { position = position * extent + i }
    return position
  }

  /// The element at an index of a shape that this tensor broadcasts to (same rank, extents 1).
  package func broadcast(_ index: [Int]) -> Double {
    var position = 0
    for (extent, i) in zip(type.shape, index) { position = position * extent + (extent == 1 ? 0 : i) }
    return elements[position]
  }
}
