import COpenBLAS

/// A dense matrix of doubles, row by row.
///
/// Products run on one thread of the library: layers are solved side by side, and the bits of a
/// result do not depend on the number of threads.
package struct Matrix: Hashable, Sendable {
  package let rows: Int
  package let columns: Int
  /// Element (i, j) is `values[i · columns + j]`.
  package var values: [Double]

  /// A matrix of given numbers, zeros without them.
  package init(_ rows: Int, _ columns: Int, _ values: [Double]? = nil) {
    self.rows = rows
    self.columns = columns
    self.values = values ?? [Double](repeating: 0, count: rows * columns)
  }

  /// The identity.
  package static func identity(_ size: Int) -> Matrix {
    var result = Matrix(size, size)
    for i in 0..<size { result[i, i] = 1 }
    return result
  }

  /// The element in row i and column j.
  package subscript(i: Int, j: Int) -> Double {
    get { values[i * columns + j] }
    set { values[i * columns + j] = newValue }
  }

  /// `A · B`.
  package static func product(_ a: Matrix, _ b: Matrix) -> Matrix {
    product(a, CblasNoTrans, b, CblasNoTrans)
  }

  /// `A · Bᵀ`.
  package static func product(_ a: Matrix, transposed b: Matrix) -> Matrix {
    product(a, CblasNoTrans, b, CblasTrans)
  }

  /// `Aᵀ · B`.
  package static func product(transposed a: Matrix, _ b: Matrix) -> Matrix {
    product(a, CblasTrans, b, CblasNoTrans)
  }

  private static func product(
    _ a: Matrix, _ aForm: CBLAS_TRANSPOSE, _ b: Matrix, _ bForm: CBLAS_TRANSPOSE
  ) -> Matrix {
    let (m, k) = aForm == CblasNoTrans ? (a.rows, a.columns) : (a.columns, a.rows)
    let n = bForm == CblasNoTrans ? b.columns : b.rows
    precondition(k == (bForm == CblasNoTrans ? b.rows : b.columns), "factors that do not fit")
    var result = Matrix(m, n)
    guard m > 0, n > 0, k > 0 else { return result }
    result.values.withUnsafeMutableBufferPointer { c in
      cblas_dgemm(
        CblasRowMajor, aForm, bForm, Int32(m), Int32(n), Int32(k), 1, a.values, Int32(a.columns),
        b.values, Int32(b.columns), 0, c.baseAddress, Int32(n))
    }
    return result
  }

  /// The transpose.
  package var transposed: Matrix {
    var result = Matrix(columns, rows)
    for i in 0..<rows { for j in 0..<columns { result[j, i] = self[i, j] } }
    return result
  }

  /// `Σ A[i,j] · B[i,j]`.
  package func dot(_ other: Matrix) -> Double {
    cblas_ddot(Int32(values.count), values, 1, other.values, 1)
  }

  /// `√ Σ A[i,j]²`.
  package var norm: Double { cblas_dnrm2(Int32(values.count), values, 1) }

  /// The sum of the diagonal.
  package var trace: Double { (0..<min(rows, columns)).reduce(0) { $0 + self[$1, $1] } }

  /// Adds a multiple of another matrix of the same shape.
  package mutating func add(_ other: Matrix, scale: Double = 1) {
    let count = Int32(values.count)
    values.withUnsafeMutableBufferPointer {
      cblas_daxpy(count, scale, other.values, 1, $0.baseAddress, 1)
    }
  }

  /// The difference of two matrices of the same shape.
  package static func - (a: Matrix, b: Matrix) -> Matrix {
    var result = a
    result.add(b, scale: -1)
    return result
  }

  /// The matrix times a number.
  package static func * (a: Matrix, factor: Double) -> Matrix {
    Matrix(a.rows, a.columns, a.values.map { $0 * factor })
  }

  /// The matrices side by side; all have as many rows.
  package static func joined(_ parts: [Matrix], rows: Int) -> Matrix {
    let columns = parts.reduce(0) { $0 + $1.columns }
    var result = Matrix(rows, columns)
    var first = 0
    for part in parts {
      for i in 0..<rows { for j in 0..<part.columns { result[i, first + j] = part[i, j] } }
      first += part.columns
    }
    return result
  }

  /// The first columns.
  package func prefix(columns count: Int) -> Matrix {
    var result = Matrix(rows, count)
    for i in 0..<rows { for j in 0..<count { result[i, j] = self[i, j] } }
    return result
  }
}
