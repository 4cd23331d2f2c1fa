/// `M (G + λ) = T` for layers that read the same inputs, each with the largest λ of
/// `tr(G)/in · 10⁻ᵏ`, k = 0, 1, …, 10, that keeps 99 % of the reduction of the loss that the smallest one
/// reaches.
///
/// Narrow layers are solved by Cholesky's decompositions, of which all layers of the group share each;
/// wide ones in a Krylov space, which serves every λ, as long as its residuals prove it.
package struct RidgeSearch {
  /// Layers of at least this many inputs are solved in a Krylov space.
  package static let wide = 1024
  /// The largest share of the inputs that the space may have before decompositions are cheaper.
  static let mostDirections = 0.25
  /// The share of the possible reduction that a solution in the space may miss.
  package static let tolerance = 1e-4
  private static let mostDecades = FusionSolver.mostDecades

  private let problems: [ReducedProblem]
  private let gram: Matrix
  private let target: Matrix
  private let mean: Double

  /// - Parameter problems: one or more with the same G.
  package init(_ problems: [ReducedProblem]) {
    self.problems = problems
    gram = problems[0].gram
    target = Matrix.stacked(problems.map(\.target), columns: gram.columns)
    mean = gram.trace / Double(gram.columns)
  }

  package func solutions() throws(LinearAlgebraError) -> [FusionSolver.Solution] {
    if gram.columns >= Self.wide, let found = try inKrylovSpace() { return found }
    return try byDecomposition()
  }

  private func penalty(_ decade: Int) -> Double {
    (0..<decade).reduce(mean) { value, _ in value / 10 }
  }

  /// The rows of the stack that belong to a problem.
  private func rows(_ index: Int) -> Range<Int> {
    let first = problems[..<index].reduce(0) { $0 + $1.target.rows }
    return first..<first + problems[index].target.rows
  }

  // MARK: Which penalty

  /// The smallest decade, so the largest penalty, whose loss is small enough; losses grow with the
  /// penalty.
  ///
  /// - Parameter loss: of a decade; nil where nothing can be solved.
  private func decade(
    _ problem: ReducedProblem, floor: Int, _ loss: (Int) -> Double?
  ) -> Int {
    guard let least = loss(floor) else { return floor }
    let start = problem.initialLoss
    // Losses below rounding cannot be compared.
    let bound = least + (1 - FusionSolver.kept) * (start - least) + 1e-14 * start
    var (high, low) = (-1, floor)
    while low - high > 1 {
      let middle = (low + high) / 2
      if let found = loss(middle), found <= bound { low = middle } else { high = middle }
    }
    return low
  }

  // MARK: Decompositions

  package func byDecomposition() throws(LinearAlgebraError) -> [FusionSolver.Solution] {
    var known: [Int: Matrix?] = [:]
    func solved(_ decade: Int) -> Matrix? {
      if let found = known[decade] { return found }
      var shifted = gram
      let penalty = self.penalty(decade)
      for i in 0..<shifted.rows { shifted[i, i] += penalty }
      let m = LinearAlgebra.solve(target, over: shifted)
      known[decade] = .some(m)
      return m
    }
    guard let floor = (0...Self.mostDecades).reversed().first(where: { solved($0) != nil }) else {
      throw LinearAlgebraError("the statistics are not those of numbers: no penalty solves them")
    }
    return problems.indices.map { index in
      let problem = problems[index]
      func solution(_ decade: Int) -> FusionSolver.Solution? {
        solved(decade).map {
          let m = $0.rows(rows(index))
          return FusionSolver.Solution(
            m: m, loss: problem.loss(m), penalty: penalty(decade), evaluations: 1)
        }
      }
      let best = decade(problem, floor: floor) { solution($0)?.loss }
      return solution(best) ?? FusionSolver.Solution(
        m: Matrix(problem.target.rows, gram.columns), loss: problem.initialLoss)
    }
  }

  // MARK: Krylov space

  /// Solutions in a growing space, or nil when it would have to grow too far.
  package func inKrylovSpace() throws(LinearAlgebraError) -> [FusionSolver.Solution]? {
    var space = try BlockKrylov(gram, target)
    let most = Int(Double(gram.columns) * Self.mostDirections)
    var losses: [Double] = []
    while true {
      let hasMore = try space.extend()
      if space.size > most { return nil }
      let before = losses
      guard let now = self.losses(space) else { return nil }
      losses = now
      // The losses of the smallest penalty come to rest last.
      let rests = !before.isEmpty && zip(problems.indices, zip(before, now)).allSatisfy {
        $1.0 - $1.1 <= Self.tolerance * (problems[$0].initialLoss - $1.1)
      }
      guard rests || !hasMore else { continue }
      if let found = solutions(space) { return found }
      if !hasMore { return nil }
    }
  }

  /// The least loss of each problem in the space.
  private func losses(_ space: BlockKrylov) -> [Double]? {
    guard let y = space.solve(shift: penalty(Self.mostDecades)) else { return nil }
    return problems.indices.map { loss(space, y, $0) }
  }

  private func loss(_ space: BlockKrylov, _ y: Matrix, _ index: Int) -> Double {
    problems[index].loss(gain: space.gain(y, rows: rows(index)))
  }

  /// The solutions in the space, or nil when a residual does not prove one.
  ///
  /// With `r = T − M (G + λ)`, M misses at most `tr(r rᵀ)/λ` of the sum of squares.
  private func solutions(_ space: BlockKrylov) -> [FusionSolver.Solution]? {
    var known: [Int: Matrix] = [:]
    func solved(_ decade: Int) -> Matrix? {
      if known[decade] == nil { known[decade] = space.solve(shift: penalty(decade)) }
      return known[decade]
    }
    var result: [FusionSolver.Solution] = []
    for (index, problem) in problems.enumerated() {
      let best = decade(problem, floor: Self.mostDecades) { place in
        solved(place).map { loss(space, $0, index) }
      }
      guard let y = solved(best) else { return nil }
      let m = space.expand(y.rows(rows(index)))
      let penalty = self.penalty(best)
      var residual = Matrix.product(m, gram)
      // The loss needs the same product.
      var inner = residual
      inner.add(problem.target, scale: -2)
      let reached = problem.loss(gain: m.dot(inner))
      residual.add(m, scale: penalty)
      residual.add(problem.target, scale: -1)
      let missed = problem.loss(gain: residual.dot(residual) / penalty) - problem.initialLoss
      guard missed <= Self.tolerance * max(problem.initialLoss - reached, 0) else { return nil }
      result.append(
        FusionSolver.Solution(m: m, loss: reached, penalty: penalty, evaluations: space.size))
    }
    return result
  }
}
