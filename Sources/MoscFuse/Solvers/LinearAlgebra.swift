import COpenBLAS

/// What a decomposition could not do.
package struct LinearAlgebraError: Error, Hashable, CustomStringConvertible {
  package var description: String

  package init(_ description: String) { self.description = description }
}

/// Decompositions through LAPACK, in double precision.
package enum LinearAlgebra {
  /// Loads the library, which has one thread: callers work on several matrices at once.
  ///
  /// - Throws: when it is not installed; what is called without it ends the process.
  package static func load() throws(LinearAlgebraError) {
    guard let problem = openblas_load() else { return }
    throw LinearAlgebraError(
      "fusing needs OpenBLAS and LAPACKE, which cannot be loaded: \(String(cString: problem))")
  }

  /// What the library calls itself and the kernels that it chose; it must be loaded.
  package static var library: String { String(cString: openblas_get_config()) }

  /// Solves `M · S = T` for a symmetric positive definite S by Cholesky's decomposition.
  ///
  /// - Returns: M, or nil when S is not positive definite in double precision.
  package static func solve(_ t: Matrix, over s: Matrix) -> Matrix? {
    let n = Int32(s.columns)
    var factor = s.values
    var result = t
    // The rows of T are the columns of its transpose, which is how LAPACK stores them.
    let status = factor.withUnsafeMutableBufferPointer { a in
      result.values.withUnsafeMutableBufferPointer { b in
        LAPACKE_dposv(
          LAPACK_COL_MAJOR, CChar(UInt8(ascii: "U")), n, Int32(t.rows), a.baseAddress, n,
          b.baseAddress, n)
      }
    }
    return status == 0 ? result : nil
  }

  /// Eigenvalues of a symmetric matrix in ascending order, and its eigenvectors as rows.
  package static func eigen(_ s: Matrix) throws(LinearAlgebraError) -> (values: [Double], vectors: Matrix) {
    let n = Int32(s.columns)
    var values = [Double](repeating: 0, count: s.columns)
    var vectors = s
    let status = vectors.values.withUnsafeMutableBufferPointer { a in
      LAPACKE_dsyevd(
        LAPACK_COL_MAJOR, CChar(UInt8(ascii: "V")), CChar(UInt8(ascii: "U")), n, a.baseAddress, n,
        &values)
    }
    guard status == 0 else {
      throw LinearAlgebraError(
        "the eigenvalues of a \(s.rows)x\(s.columns) matrix do not converge (LAPACK \(status))")
    }
    return (values, vectors)
  }

  /// `A = U · diag(σ) · Vᵀ`, σ descending: U `[m,k]`, Vᵀ `[k,n]`, k the smaller extent.
  package static func singular(
    _ a: Matrix
  ) throws(LinearAlgebraError) -> (u: Matrix, sigma: [Double], vt: Matrix) {
    let (m, n) = (a.rows, a.columns)
    let k = min(m, n)
    var work = a.values
    var u = Matrix(m, k)
    var vt = Matrix(k, n)
    var sigma = [Double](repeating: 0, count: k)
    let status = u.values.withUnsafeMutableBufferPointer { u in
      vt.values.withUnsafeMutableBufferPointer { vt in
        LAPACKE_dgesdd(
          LAPACK_ROW_MAJOR, CChar(UInt8(ascii: "S")), Int32(m), Int32(n), &work, Int32(n), &sigma,
          u.baseAddress, Int32(k), vt.baseAddress, Int32(n))
      }
    }
    guard status == 0 else {
      throw LinearAlgebraError(
        "the singular values of a \(m)x\(n) matrix do not converge (LAPACK \(status))")
    }
    return (u, sigma, vt)
  }

  /// An orthonormal basis of the columns of A, as columns.
  ///
  /// - Parameter tolerance: directions below this share of the strongest are left out.
  package static func basis(
    _ a: Matrix, tolerance: Double = 1e-12
  ) throws(LinearAlgebraError) -> Matrix {
    let (u, sigma, _) = try singular(a)
    let strongest = sigma.first ?? 0
    let rank = sigma.prefix { $0 > tolerance * strongest }.count
    return u.prefix(columns: rank)
  }
}
