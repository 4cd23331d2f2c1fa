/// How a layer's least squares is solved.
package enum FusionSolver: String, CaseIterable, Hashable, Sendable {
  /// The reference's search, stopped after the reference's number of iterations.
  case lbfgs
  /// The exact minimum with a penalty on the change (`RidgeSearch`).
  case ridge
  /// The smallest change among all exact minima, by eigenvalues.
  case minNorm = "min-norm"

  /// What a solver found.
  package struct Solution: Hashable, Sendable {
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
    case .ridge: return try RidgeSearch([problem]).solutions()[0]
    case .minNorm: return try Self.minNorm(problem)
    }
  }

  /// Solves layers that read the same inputs: their problems have the same G.
  package func solve(
    together problems: [ReducedProblem], iterations: Int
  ) throws(LinearAlgebraError) -> [Solution] {
    let isSolvable = problems.allSatisfy { $0.basis.columns > 0 && $0.gram.trace > 0 }
    if self == .ridge, isSolvable, !problems.isEmpty {
      return try RidgeSearch(problems).solutions()
    }
    var solutions: [Solution] = []
    for problem in problems { solutions.append(try solve(problem, iterations: iterations)) }
    return solutions
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
