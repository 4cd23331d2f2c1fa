import Foundation
import MoscFormats
import MoscFuse
import TestSupport
import Testing

/// The solvers against recorded runs of the reference, and against each other.
@Suite struct SolverTests {
  struct Recorded {
    let x, y, start, end: Matrix
    let iterations: Int

    init(_ name: String) throws {
      let file = try SafetensorsFile(Goldens.url("mix-of-show/lbfgs.safetensors"))
      func matrix(_ part: String) throws -> Matrix {
        let array = try file.array("\(name).\(part)")
        return Matrix(array.shape[0], array.shape[1], array.doubles)
      }
      (x, y) = (try matrix("X"), try matrix("Y"))
      (start, end) = (try matrix("W0"), try matrix("W"))
      let text = try #require(file.metadata["mse"])
      let settings = try JSONValue.parse(Array(text.utf8), path: "mse")
      iterations = try #require(settings[name]?["iters"]?.int)
    }

    func objective(_ w: Matrix) -> Double {
      let rest = Matrix.product(x, transposed: w) - y
      return rest.dot(rest) / Double(rest.values.count)
    }
  }

  @Test(arguments: ["kv", "text", "spatial"]) func recordedProblems(name: String) throws {
    let recorded = try Recorded(name)
    let problem = try ReducedProblem(x: recorded.x, y: recorded.y, start: recorded.start)
    let before = recorded.objective(recorded.start)
    #expect(abs(problem.initialLoss - before) < 1e-12 * before)
    let reference = recorded.objective(recorded.end)
    for solver in FusionSolver.allCases {
      let solution = try solver.solve(problem, iterations: recorded.iterations)
      var weight = recorded.start
      weight.add(problem.change(solution.m))
      let found = recorded.objective(weight)
      // What the sums say of the loss is what the rows say.
      #expect(abs(found - solution.loss) < 1e-9 * before, "\(solver)")
      switch solver {
      case .lbfgs: #expect(found <= max(1.01 * reference, 1e-6 * before))
      case .minNorm: #expect(found <= max(reference, 1e-9 * before))
      case .ridge: #expect(found <= reference + 0.02 * before)
      }
    }
  }

  /// A penalty makes the change smaller than the exact minimum's.
  @Test func ridgeChangesLess() throws {
    let recorded = try Recorded("spatial")
    let problem = try ReducedProblem(x: recorded.x, y: recorded.y, start: recorded.start)
    let ridge = try FusionSolver.ridge.solve(problem, iterations: 0)
    let exact = try FusionSolver.minNorm.solve(problem, iterations: 0)
    #expect(ridge.penalty > 0)
    #expect(ridge.m.norm < exact.m.norm)
    #expect(ridge.loss >= exact.loss)
  }

  /// Two concepts as sums of their inputs are the problem of all rows with their targets.
  @Test func conceptsAreTheirRows() throws {
    let recorded = try Recorded("spatial")
    let (width, out) = (recorded.x.columns, recorded.start.rows)
    let split = recorded.x.rows / 3
    func part(_ range: Range<Int>) -> Matrix {
      Matrix(
        range.count, width,
        Array(recorded.x.values[range.lowerBound * width..<range.upperBound * width]))
    }
    func factor(_ rows: Int, _ columns: Int, _ seed: Int) -> Matrix {
      Matrix(
        rows, columns,
        (0..<rows * columns).map { Double(($0 * $0 * 37 + $0 * seed + 5 * seed) % 101 - 50) / 80 })
    }
    let parts = [part(0..<split), part(split..<recorded.x.rows)]
    var rows = Matrix(0, out)
    var demands: [ConceptDemand] = []
    for (i, x) in parts.enumerated() {
      let (up, down) = (factor(out, 3, i * 5), factor(3, width, i * 7 + 2))
      demands.append(
        ConceptDemand(
          gram: .product(transposed: x, x), rows: x.rows, up: up, down: down))
      var weight = recorded.start
      weight.add(.product(up, down))
      let y = Matrix.product(x, transposed: weight)
      rows = Matrix(rows.rows + y.rows, out, rows.values + y.values)
    }
    let reduced = try ReducedProblem(demands, out: out, depth: width)
    let plain = try ReducedProblem(x: recorded.x, y: rows, start: recorded.start)
    #expect(abs(reduced.initialLoss - plain.initialLoss) < 1e-11 * plain.initialLoss)
    #expect(reduced.basis.columns == 6)
    for solver in FusionSolver.allCases {
      let a = try solver.solve(reduced, iterations: 20)
      let b = try solver.solve(plain, iterations: 20)
      #expect(abs(a.loss - b.loss) < 1e-6 * plain.initialLoss, "\(solver)")
    }
    let solution = try FusionSolver.minNorm.solve(reduced, iterations: 0)
    let shares = demands.map { ReducedProblem.share($0, reduced.basis) }
    let mean = shares.reduce(0) { $0 + reduced.loss(solution.m, of: $1) * Double($1.rows) }
    #expect(abs(mean / Double(recorded.x.rows) - solution.loss) < 1e-9 * plain.initialLoss)
  }

  /// Without inputs or without a change there is nothing to solve.
  @Test func emptyProblems() throws {
    let demand = ConceptDemand(
      gram: Matrix(4, 4), rows: 0, up: Matrix(3, 2), down: Matrix(2, 4))
    let problem = try ReducedProblem([demand], out: 3, depth: 4)
    for solver in FusionSolver.allCases {
      #expect(try solver.solve(problem, iterations: 5).m.norm == 0)
    }
  }

  /// Layers of equal inputs whose moments fall off as those of networks do, or with unrelated targets.
  private func wideProblems(isRelated: Bool) throws -> [ReducedProblem] {
    var state: UInt64 = 11
    func number() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(Int64(bitPattern: state)) / 0x1p63
    }
    func numbers(_ rows: Int, _ columns: Int) -> Matrix {
      Matrix(rows, columns, (0..<rows * columns).map { _ in number() })
    }
    let width = RidgeSearch.wide + 6
    var x = numbers(width / 2, width)
    for i in 0..<x.rows { for j in 0..<width { x[i, j] *= exp(-Double(j) / 60) } }
    let moments = Matrix.product(transposed: x, x)
    return try [3, 5].map { rank in
      let up = numbers(40, rank)
      let basis = try LinearAlgebra.basis(up)
      var problem = ReducedProblem(
        basis: basis, gram: Matrix(0, 0), target: Matrix(rank, width), constant: 0, rows: 0)
      let demand = ConceptDemand(
        gram: moments, rows: x.rows, up: up, down: numbers(rank, width))
      problem.add(ReducedProblem.share(demand, basis))
      problem.gram = moments
      if !isRelated { problem.gram = .identity(width); spread(&problem.gram) }
      return problem
    }
  }

  /// A diagonal over twelve decades, of which every direction matters.
  private func spread(_ matrix: inout Matrix) {
    for i in 0..<matrix.rows {
      matrix[i, i] = pow(10, -12 * Double(i) / Double(matrix.rows))
    }
  }

  /// The space gives what decompositions give, for layers that share their inputs.
  @Test func wideLayersInKrylovSpace() throws {
    let problems = try wideProblems(isRelated: true)
    let search = RidgeSearch(problems)
    let exact = try search.byDecomposition()
    let found = try #require(try search.inKrylovSpace())
    for (index, (a, b)) in zip(exact, found).enumerated() {
      let reduction = problems[index].initialLoss - a.loss
      #expect(a.penalty == b.penalty && reduction > 0)
      #expect(abs(a.loss - b.loss) < 2 * RidgeSearch.tolerance * reduction)
      #expect((a.m - b.m).norm < 0.02 * a.m.norm)
      #expect(abs(problems[index].loss(b.m) - b.loss) < 1e-9 * problems[index].initialLoss)
      #expect(b.evaluations < problems[index].gram.columns / 4)
    }
    // Alone or together: each decomposition serves all.
    let alone = try RidgeSearch([problems[1]]).byDecomposition()[0]
    #expect((alone.m - exact[1].m).norm < 1e-9 * exact[1].m.norm)
  }

  /// Where the space would have to be large, decompositions solve instead.
  @Test func unrelatedTargetsAreDecomposed() throws {
    let search = RidgeSearch(try wideProblems(isRelated: false))
    #expect(try search.inKrylovSpace() == nil)
    let (found, exact) = (try search.solutions(), try search.byDecomposition())
    #expect(found.map(\.m) == exact.map(\.m))
  }
}
