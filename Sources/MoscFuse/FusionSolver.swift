/// How a layer's least squares is solved.
package enum FusionSolver: String, CaseIterable, Hashable, Sendable {
  /// The reference's search, stopped after the reference's number of iterations.
  case lbfgs
  /// The exact minimum with a penalty on the change, by Cholesky's decomposition.
  case ridge
  /// The smallest change among all exact minima, by eigenvalues.
  case minNorm = "min-norm"

  /// What a solver found.
  package struct Solution: Sendable {
    /// M of the change `Q M`.
    package var m: Matrix
    package var loss: Double
    /// The penalty that was used; 0 without.
    package var penalty = 0.0
    /// Evaluations of the loss.
    package var evaluations = 0
  }

  /// Eigenvalues of G below this share of the largest count as directions without inputs.
  static let cutoff = 1e-11
  /// The share of the possible reduction of the loss that the penalty must leave.
  package static let kept = 0.99
  /// The largest number of decades below the mean eigenvalue that the penalty may lie.
  static let mostDecades = 10

  /// Solves a layer.
  ///
  /// - Parameter iterations: those of `lbfgs`.
  package func solve(
    _ problem: ReducedProblem, iterations: Int
  ) throws(LinearAlgebraError) -> Solution {
    guard problem.basis.columns > 0, problem.gram.trace > 0 else {
      return Solution(
        m: Matrix(problem.basis.columns, problem.gram.columns), loss: problem.initialLoss)
    }
    switch self {
    case .lbfgs:
      let start = Matrix(problem.basis.columns, problem.gram.columns)
      let outcome = LBFGS(iterations: iterations).minimise(problem, from: start)
      return Solution(m: outcome.best, loss: outcome.loss, evaluations: outcome.evaluations)
    case .ridge: return try Self.ridge(problem)
    case .minNorm: return try Self.minNorm(problem)
    }
  }

  /// `M (G + λ) = T` with the largest λ of `tr(G)/in · 10⁻ᵏ`, k = 0, 1, …, 10, that keeps 99 % of the
  /// reduction of the loss that the smallest one reaches.
  private static func ridge(_ problem: ReducedProblem) throws(LinearAlgebraError) -> Solution {
    let mean = problem.gram.trace / Double(problem.gram.columns)
    func solved(_ decade: Int) -> Solution? {
      var shifted = problem.gram
      let penalty = mean * Self.power(-decade)
      for i in 0..<shifted.rows { shifted[i, i] += penalty }
      guard let m = LinearAlgebra.solve(problem.target, over: shifted) else { return nil }
      return Solution(m: m, loss: problem.loss(m), penalty: penalty, evaluations: 1)
    }
    var floor: Solution?
    for decade in stride(from: Self.mostDecades, through: 0, by: -1) {
      floor = solved(decade)
      if floor != nil { break }
    }
    guard let floor else {
      throw LinearAlgebraError("the statistics are not those of numbers: no penalty solves them")
    }
    let start = problem.initialLoss
    // Losses below rounding cannot be compared.
    let slack = (1 - Self.kept) * (start - floor.loss) + 1e-14 * start
    for decade in 0..<Self.mostDecades {
      if let solution = solved(decade), solution.loss <= floor.loss + slack { return solution }
    }
    return floor
  }

  private static func power(_ exponent: Int) -> Double {
    (0..<abs(exponent)).reduce(1.0) { value, _ in exponent < 0 ? value / 10 : value * 10 }
  }

  /// `M = T G⁺`.
  private static func minNorm(_ problem: ReducedProblem) throws(LinearAlgebraError) -> Solution {
    let (values, vectors) = try LinearAlgebra.eigen(problem.gram)
    let least = (values.last ?? 0) * cutoff
    var projected = Matrix.product(problem.target, transposed: vectors)
    for j in values.indices {
      let factor = values[j] > least ? 1 / values[j] : 0
      for i in 0..<projected.rows { projected[i, j] *= factor }
    }
    let m = Matrix.product(projected, vectors)
    return Solution(m: m, loss: problem.loss(m), evaluations: 1)
  }
}
