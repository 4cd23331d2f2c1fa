/// Minimises a function of many numbers by L-BFGS with the rules of PyTorch's `torch.optim.LBFGS`,
/// strong Wolfe line search included, for runs that are stopped early and so depend on them.
///
/// Source: Nocedal & Wright 2006, algorithms 7.4, 7.5, 3.5, 3.6; stopping rules of PyTorch 2.
package struct LBFGS: Sendable {
  /// The most iterations.
  package var iterations: Int
  /// Evaluations after which no further iteration begins.
  package var evaluations: Int
  /// The most remembered steps.
  package var history = 25
  /// The largest gradient element at which the search ends.
  package var gradientTolerance = 1e-16
  /// The least change of loss or of any number that is worth going on for.
  package var changeTolerance = 1e-16

  package init(iterations: Int) {
    self.iterations = iterations
    evaluations = iterations * 5 / 4
  }

  /// What is minimised.
  package protocol Objective {
    func evaluate(_ m: Matrix) -> (loss: Double, gradient: Matrix)
    /// Whether any element is larger in magnitude than a bound, in the coordinates that tolerances
    /// are meant in.
    func exceeds(_ m: Matrix, _ bound: Double) -> Bool
    /// The sum of magnitudes in those coordinates.
    func absoluteSum(_ m: Matrix) -> Double
  }

  /// Where a search ended.
  package struct Outcome: Sendable {
    /// The argument of the least loss of all evaluations, line search trials included.
    package var best: Matrix
    package var loss: Double
    package var iterations: Int
    package var evaluations: Int
  }

  /// A step, the change of the gradient along it, and the reciprocal of their product.
  private struct Memory {
    var step: Matrix
    var change: Matrix
    var reciprocal: Double
  }

  /// Searches from a start.
  package func minimise(_ objective: some Objective, from start: Matrix) -> Outcome {
    var search = Search(objective, start)
    var x = start
    var (loss, gradient) = search.evaluate(start)
    var memory: [Memory] = []
    var diagonal = 1.0
    var previous: (gradient: Matrix, step: Matrix)?
    var done = 0
    guard objective.exceeds(gradient, gradientTolerance) else {
      return Outcome(best: search.best, loss: search.least, iterations: 0, evaluations: 1)
    }
    while done < iterations {
      done += 1
      if let previous {
        let change = gradient - previous.gradient
        let product = change.dot(previous.step)
        if product > 1e-10 {
          if memory.count == history { memory.removeFirst() }
          memory.append(Memory(step: previous.step, change: change, reciprocal: 1 / product))
          diagonal = product / change.dot(change)
        }
      }
      let direction = Self.direction(gradient, memory, diagonal)
      let slope = gradient.dot(direction)
      if slope > -changeTolerance { break }
      let length = done == 1 ? min(1, 1 / objective.absoluteSum(gradient)) : 1
      let line = WolfeSearch(
        origin: x, direction: direction, loss: loss, gradient: gradient, slope: slope)
      let point = line.run(from: length, &search)
      let before = loss
      previous = (gradient, direction * point.length)
      x.add(direction, scale: point.length)
      (loss, gradient) = (point.loss, point.gradient)
      if search.count >= evaluations || abs(loss - before) < changeTolerance { break }
      if !objective.exceeds(gradient, gradientTolerance) { break }
      if !objective.exceeds(direction, changeTolerance / abs(point.length)) { break }
    }
    return Outcome(
      best: search.best, loss: search.least, iterations: done, evaluations: search.count)
  }

  /// `−H g` by the two-loop recursion.
  private static func direction(
    _ gradient: Matrix, _ memory: [Memory], _ diagonal: Double
  ) -> Matrix {
    var q = gradient * -1
    var factors = [Double](repeating: 0, count: memory.count)
    for i in memory.indices.reversed() {
      factors[i] = memory[i].step.dot(q) * memory[i].reciprocal
      q.add(memory[i].change, scale: -factors[i])
    }
    if memory.isEmpty { return q }
    q = q * diagonal
    for i in memory.indices {
      let factor = memory[i].change.dot(q) * memory[i].reciprocal
      q.add(memory[i].step, scale: factors[i] - factor)
    }
    return q
  }

  /// Evaluations so far, and the best of them.
  struct Search<O: Objective> {
    let objective: O
    private(set) var best: Matrix
    private(set) var least = Double.infinity
    private(set) var count = 0

    init(_ objective: O, _ start: Matrix) {
      self.objective = objective
      best = start
    }

    mutating func evaluate(_ m: Matrix) -> (loss: Double, gradient: Matrix) {
      let result = objective.evaluate(m)
      count += 1
      if result.loss < least {
        least = result.loss
        best = m
      }
      return result
    }
  }
}

extension ReducedProblem: LBFGS.Objective {
  // The reference searches over W: tolerances and the first step are meant for `Q M`.

  // `Q M` has the norm of M, which bounds its largest element from both sides and costs far less.
  package func exceeds(_ m: Matrix, _ bound: Double) -> Bool {
    let norm = m.norm
    if norm <= bound { return false }
    if norm > bound * Double(basis.rows * m.columns).squareRoot() { return true }
    return change(m).values.contains { abs($0) > bound }
  }

  package func absoluteSum(_ m: Matrix) -> Double {
    change(m).values.reduce(0) { $0 + abs($1) }
  }
}
