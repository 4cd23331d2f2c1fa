/// The space of T, T G, T G², …, in which `M (G + λ) = T` is solved for every λ at once.
///
/// With the rows of V an orthonormal basis of the space, `P = V G Vᵀ` and `T = C V₁`, the best M in it
/// is `[C 0] (P + λ)⁻¹ V`: the small matrix is decomposed instead of G. The directions of G that
/// matter for T are found first, so some tens of products with G do what a decomposition of G does in
/// `in³/3` multiplications per λ. Source: block Lanczos with full reorthogonalisation (Golub & Van
/// Loan, Matrix Computations, section 10.3).
struct BlockKrylov {
  private let gram: Matrix
  /// V, a row per direction.
  private var directions: Matrix
  /// P; the rows of the last block are not known yet.
  private var projected: Matrix
  /// Directions whose rows of P are known.
  private var known = 0
  /// C.
  private let coefficients: Matrix

  init(_ gram: Matrix, _ target: Matrix) throws(LinearAlgebraError) {
    self.gram = gram
    directions = try LinearAlgebra.basis(target.transposed).transposed
    coefficients = Matrix.product(target, transposed: directions)
    projected = Matrix(directions.rows, directions.rows)
  }

  /// The number of directions that solutions are made of.
  var size: Int { known }

  /// Takes one more block of directions in; false when the space is whole.
  mutating func extend() throws(LinearAlgebraError) -> Bool {
    let last = directions.rows - known
    guard last > 0 else { return false }
    var next = Matrix.product(directions.rows(known..<directions.rows), gram)
    let scale = next.norm
    // What lies in the space already goes; once more for what rounding left.
    for _ in 0..<2 {
      let inside = Matrix.product(next, transposed: directions)
      next.add(.product(inside, directions), scale: -1)
      for i in 0..<last {
        for j in 0..<directions.rows {
          projected[known + i, j] += inside[i, j]
          if j < known { projected[j, known + i] = projected[known + i, j] }
        }
      }
    }
    known = directions.rows
    guard next.norm > 1e-13 * scale else { return false }
    let new = try LinearAlgebra.basis(next.transposed).transposed
    let count = directions.rows + new.rows
    directions = Matrix(count, directions.columns, directions.values + new.values)
    var grown = Matrix(count, count)
    for i in 0..<known { for j in 0..<known { grown[i, j] = projected[i, j] } }
    projected = grown
    return true
  }

  /// The solutions in terms of the directions, `[rows of T, size]`; nil when `P + λ` is not positive
  /// definite in double precision.
  func solve(shift: Double) -> Matrix? {
    var small = Matrix(known, known)
    for i in 0..<known {
      // Rounding leaves P a little unsymmetric.
      for j in 0..<known { small[i, j] = (projected[i, j] + projected[j, i]) / 2 }
      small[i, i] += shift
    }
    return LinearAlgebra.solve(target, over: small)
  }

  /// T in terms of the directions: `[C 0]`.
  var target: Matrix {
    var target = Matrix(coefficients.rows, known)
    for i in 0..<coefficients.rows {
      for j in 0..<coefficients.columns { target[i, j] = coefficients[i, j] }
    }
    return target
  }

  /// `tr(Y P Yᵀ) − 2 tr(Y [C 0]ᵀ)` over some rows: what a solution changes the sum of squares by.
  func gain(_ y: Matrix, rows: Range<Int>) -> Double {
    let part = y.rows(rows)
    let small = Matrix(
      known, known,
      (0..<known).flatMap { i in (0..<known).map { projected[i, $0] } })
    var product = Matrix.product(part, small)
    product.add(target.rows(rows), scale: -2)
    return part.dot(product)
  }

  /// M of a solution.
  func expand(_ y: Matrix) -> Matrix {
    Matrix.product(y, directions.rows(0..<known))
  }
}

extension Matrix {
  /// Some of the rows.
  func rows(_ range: Range<Int>) -> Matrix {
    Matrix(
      range.count, columns,
      Array(values[range.lowerBound * columns..<range.upperBound * columns]))
  }

  /// The matrices below each other; all have as many columns.
  static func stacked(_ parts: [Matrix], columns: Int) -> Matrix {
    Matrix(parts.reduce(0) { $0 + $1.rows }, columns, parts.flatMap(\.values))
  }
}
