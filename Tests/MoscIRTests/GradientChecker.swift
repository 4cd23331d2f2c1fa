import MoscFuzz
import MoscIR

/// Compares gradients with central differences in f64.
struct GradientChecker {
  /// A function of some parameters, as a graph.
  struct Case {
    var parameters: [TensorType]
    /// Whether inputs are positive.
    var isPositive = false
    var build: (inout Graph, [ValueID]) throws -> ValueID

    init(
      _ shapes: [[Int]], positive: Bool = false,
      _ build: @escaping (inout Graph, [ValueID]) throws -> ValueID
    ) {
      self.init(shapes.map { TensorType(.f32, $0) }, positive: positive, build)
    }

    init(
      _ parameters: [TensorType], positive: Bool = false,
      _ build: @escaping (inout Graph, [ValueID]) throws -> ValueID
    ) {
      self.parameters = parameters
      isPositive = positive
      self.build = build
    }
  }

  /// The largest difference between a gradient and its difference quotient, relative to the largest
  /// element of the gradient, over all float parameters; or what went wrong.
  ///
  /// The loss is `Σ y · w` with fixed, uneven weights w.
  static func error(_ test: Case, seed: UInt64 = 1) throws -> Double {
    var graph = Graph("f")
    let parameters = test.parameters.enumerated().map { graph.parameter("x\($0)", $1) }
    let y = try test.build(&graph, parameters)
    let type = graph.type(y)
    let numbers: [Double] = (0..<type.count).map { index in
      let step = (index * 7 + 3) % 11
      return 0.4 + 0.06 * Double(step)
    }
    let weights = try graph.constant(numbers, type)
    let products = try graph.mul(y, weights)
    let loss =
      type.rank == 0 ? products : try graph.reduceSum(products, axes: Array(0..<type.rank))
    let wanted = parameters.filter { graph.type($0).dtype.isFloat }
    let seedValue = try graph.constant(1, graph.type(loss))
    let found = try graph.backpropagate(
      [(loss, seedValue)], to: wanted, through: graph.order)
    let zeros = try wanted.map { try graph.constant(0, graph.type($0)) }
    graph.results = [loss] + zip(found.gradients, zeros).map { $0 ?? $1 }
    for (id, gradient) in zip(wanted, graph.results.dropFirst())
    where graph.type(id) != graph.type(gradient) { return .infinity }

    var random = SeededNumbers(seed)
    let inputs = graph.parameters.map { id in
      HostTensor(graph.type(id)) { _ in
        let type = graph.type(id)
        if type.dtype == .i32 { return Double(Int.random(in: -1...6, using: &random)) }
        if type.dtype == .u8 { return Double(Int.random(in: 0...1, using: &random)) }
        let x = Double.random(in: -1.5...1.5, using: &random)
        return test.isPositive ? Swift.abs(x) + 0.5 : x
      }
    }
    return try HostTensor.$isExact.withValue(true) {
      let evaluator = Evaluator(Module(graphs: [graph]))
      let gradients = try evaluator.run(graph, inputs).dropFirst()
      var worst = 0.0
      var forward = graph
      forward.results = [loss]
      for (id, gradient) in zip(wanted, gradients) {
        guard let index = graph.parameters.firstIndex(of: id) else { continue }
        let scale = max(gradient.elements.map(Swift.abs).max() ?? 0, 1e-3)
        for element in gradient.elements.indices {
          let step = 1e-5
          func value(_ change: Double) throws -> Double {
            var changed = inputs
            changed[index].elements[element] += change
            return try evaluator.run(forward, changed)[0].elements[0]
          }
          let quotient = (try value(step) - value(-step)) / (2 * step)
          worst = max(worst, Swift.abs(quotient - gradient.elements[element]) / scale)
          if !worst.isFinite { return .infinity }
        }
      }
      return worst
    }
  }
}
