import MoscLLVM

extension FunctionEmitter {
  /// `M · x · Mᵀ` of a row-major square of vectors, row-major; zeros of M cost nothing.
  ///
  /// Rows of M that differ in signs only, as those of opposite interpolation points do, share their
  /// sums: one is the sum, the other the difference of two halves.
  package func square(_ matrix: [[Double]], _ x: [LLVMValue]) -> [LLVMValue] {
    let edge = matrix[0].count
    // Columns first: `M · x`, a column at a time; then rows: `(M · x) · Mᵀ`.
    let columns = (0..<edge).map { column in
      multiply(matrix, (0..<edge).map { x[$0 * edge + column] })
    }
    return matrix.indices.flatMap { row in
      multiply(matrix, columns.map { $0[row] })
    }
  }

  /// `M · x`.
  private func multiply(_ matrix: [[Double]], _ x: [LLVMValue]) -> [LLVMValue] {
    var result = [LLVMValue?](repeating: nil, count: matrix.count)
    for (row, factors) in matrix.enumerated() where result[row] == nil {
      let mirrored = matrix.indices.first { other in
        other > row && result[other] == nil && isMirrored(factors, matrix[other])
      }
      guard let mirrored else {
        result[row] = dot(factors, x)
        continue
      }
      let same = zip(factors, matrix[mirrored]).map { $0 == $1 ? $0 : 0 }
      let opposite = zip(factors, matrix[mirrored]).map { $0 == $1 ? 0 : $0 }
      let (a, b) = (dot(same, x), dot(opposite, x))
      result[row] = fadd(a, b)
      result[mirrored] = fsub(a, b)
    }
    return result.map { $0 ?? float(0, like: x[0]) }
  }

  /// Whether two rows have equal magnitudes, and both equal and opposite numbers.
  private func isMirrored(_ a: [Double], _ b: [Double]) -> Bool {
    let pairs = zip(a, b).filter { $0 != 0 || $1 != 0 }
    return pairs.allSatisfy { abs($0) == abs($1) } && pairs.contains { $0 == $1 }
      && pairs.contains { $0 == -$1 }
  }

  private func dot(_ factors: [Double], _ x: [LLVMValue]) -> LLVMValue {
    // A term of factor 1 begins the sum, so that no product is needed for it.
    let terms = zip(factors, x).filter { $0.0 != 0 }.sorted { a, b in a.0 == 1 && b.0 != 1 }
    var sum: LLVMValue?
    for (factor, value) in terms {
      guard let partial = sum else {
        sum = factor == 1 ? value : factor == -1 ? fneg(value) : fmul(value, float(factor, like: value))
        continue
      }
      sum =
        factor == 1
        ? fadd(partial, value)
        : factor == -1 ? fsub(partial, value) : fma(value, float(factor, like: value), partial)
    }
    return sum ?? float(0, like: x[0])
  }
}
