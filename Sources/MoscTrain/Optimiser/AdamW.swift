import MoscIR

/// Adam with decoupled weight decay, as a compiled function over a flat group of parameters.
///
/// With gradient g (scaled), step k from 1, rate η and decay λ:
///
///     m ← β₁·m + (1 − β₁)·g            v ← β₂·v + (1 − β₂)·g²
///     θ ← (1 − η·λ)·θ − η/(1 − β₁ᵏ) · m / (√v/√(1 − β₂ᵏ) + ε)
///
/// and, where an average is kept, `a ← a + blend·(θ − a)`. What changes from step to step is a scalar
/// input, so that one kernel serves all steps. Source: Loshchilov & Hutter 2019, algorithm 2; the
/// order of roundings is that of PyTorch.
package struct AdamW: Hashable, Sendable {
  package var beta1: Double
  package var beta2: Double
  package var epsilon: Double

  package init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
  }

  /// The name of the function.
  package static let name = "adamw"
  /// What comes before the name of an input in the name of its new value.
  package static let nextPrefix = "next."

  /// The function `@adamw` over n numbers: `parameters`, `gradients`, `mean`, `square` and, when
  /// there is one, `average`, all `f32[n]`; scalars `f32[1]` are those of `scalars`.
  package func graph(count: Int, hasAverage: Bool) throws(Diagnostic) -> Graph {
    var g = Graph(Self.name)
    let type = TensorType.f32(count)
    let parameters = g.parameter("parameters", type)
    let gradients = g.parameter("gradients", type)
    let mean = g.parameter("mean", type)
    let square = g.parameter("square", type)
    func scalar(_ name: String) -> ValueID { g.parameter(name, .f32(1)) }
    let (scale, keep, rate, root) = (
      scalar("gradient_scale"), scalar("keep"), scalar("rate"), scalar("root")
    )
    func times(_ x: ValueID, _ factor: Double) throws(Diagnostic) -> ValueID {
      try g.mul(x, try g.constant(factor, .f32(1)))
    }
    let gradient = try g.mul(gradients, scale)
    let nextMean = try g.add(try times(mean, beta1), try times(gradient, 1 - beta1))
    let squared = try g.mul(gradient, gradient)
    let nextSquare = try g.add(try times(square, beta2), try times(squared, 1 - beta2))
    let deviation = try g.mul(try g.sqrt(nextSquare), root)
    let divisor = try g.add(deviation, try g.constant(epsilon, .f32(1)))
    let move = try g.mul(try g.div(nextMean, divisor), rate)
    let next = try g.sub(try g.mul(parameters, keep), move)
    g.results = [next, nextMean, nextSquare]
    g.resultNames = ["parameters", "mean", "square"]
    if hasAverage {
      let average = g.parameter("average", type)
      let way = try g.mul(try g.sub(next, average), scalar("blend"))
      g.results.append(try g.add(average, way))
      g.resultNames.append("average")
    }
    g.resultNames = g.resultNames.map { Self.nextPrefix + $0 }
    return g
  }

  /// The scalar inputs of a step.
  ///
  /// - Parameters:
  ///   - step: from 1.
  ///   - gradientScale: what gradients are multiplied with, 1 over the number of accumulated ones.
  package func scalars(
    step: Int, learningRate: Double, weightDecay: Double, gradientScale: Double = 1,
    blend: Double? = nil
  ) -> [String: Double] {
    var result = [
      "gradient_scale": gradientScale,
      "keep": 1 - learningRate * weightDecay,
      "rate": learningRate / (1 - Self.power(beta1, step)),
      "root": 1 / (1 - Self.power(beta2, step)).squareRoot(),
    ]
    result["blend"] = blend
    return result
  }

  /// `xⁿ` by squaring: the same bits on every platform.
  private static func power(_ x: Double, _ n: Int) -> Double {
    var (result, base, rest) = (1.0, x, n)
    while rest > 0 {
      if rest % 2 == 1 { result *= base }
      base *= base
      rest /= 2
    }
    return result
  }
}
