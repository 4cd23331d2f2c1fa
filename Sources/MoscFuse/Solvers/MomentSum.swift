/// Second moments `Σ xᵀ x` that grow as inputs come in: the triangle on and above the diagonal, in
/// double precision.
package struct MomentSum: Hashable, Sendable {
  /// Channels of the inputs.
  package let width: Int
  /// Inputs so far.
  package private(set) var rows = 0
  /// Row by row: (0,0), (0,1), …, (0,c−1), (1,1), …
  package private(set) var values: [Double]

  package init(width: Int) {
    self.width = width
    values = [Double](repeating: 0, count: Self.count(width))
  }

  /// Moments as `values` stores them.
  package init(width: Int, rows: Int, values: [Double]) {
    self.width = width
    self.rows = rows
    self.values = values
  }

  /// Numbers of a triangle.
  package static func count(_ width: Int) -> Int { width * (width + 1) / 2 }

  /// Adds a result of the op `gram`, `[c,c+1]`: each sum as two floats.
  ///
  /// - Parameters:
  ///   - rows: the inputs behind it.
  ///   - weight: how often they count.
  package mutating func add(_ pairs: UnsafePointer<Float>, rows: Int, weight: Int = 1) {
    let (width, pitch) = (self.width, self.width + 1)
    let factor = Double(weight)
    values.withUnsafeMutableBufferPointer { sums in
      var place = 0
      for i in 0..<width {
        let high = pairs + i * pitch + 1
        let low = pairs + (width - 1 - i) * pitch + width - 1
        for j in i..<width {
          sums[place] += factor * (Double(high[j]) + Double(low[-j]))
          place += 1
        }
      }
    }
    self.rows += rows * weight
  }

  /// Adds one input.
  package mutating func add(_ x: ArraySlice<Float>, weight: Int = 1) {
    let numbers = x.map(Double.init)
    let factor = Double(weight)
    var place = 0
    for i in 0..<width {
      for j in i..<width {
        values[place] += factor * numbers[i] * numbers[j]
        place += 1
      }
    }
    rows += weight
  }

  /// The whole symmetric matrix.
  package var matrix: Matrix {
    values.withUnsafeBufferPointer { Self.matrix($0, width: width) }
  }

  /// The whole symmetric matrix of a triangle.
  package static func matrix(_ triangle: UnsafeBufferPointer<Double>, width: Int) -> Matrix {
    var result = Matrix(width, width)
    guard let source = triangle.baseAddress, width > 0 else { return result }
    result.values.withUnsafeMutableBufferPointer { buffer in
      guard let target = buffer.baseAddress else { return }
      var place = 0
      for i in 0..<width {
        (target + i * width + i).update(from: source + place, count: width - i)
        place += width - i
      }
      // The other triangle square by square, as columns of many rows do not fit the cache.
      let side = 32
      for top in stride(from: 0, to: width, by: side) {
        for left in stride(from: 0, through: top, by: side) {
          for i in top..<min(top + side, width) {
            for j in left..<min(left + side, i) { target[i * width + j] = target[j * width + i] }
          }
        }
      }
    }
    return result
  }
}

extension MomentSum {
  /// Adds the moments of other inputs of the same width.
  package mutating func add(_ other: MomentSum) {
    for index in values.indices { values[index] += other.values[index] }
    rows += other.rows
  }
}
