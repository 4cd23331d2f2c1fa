import Foundation

/// Unified predictor-corrector of order 1 to 3 in data prediction; equals diffusers'
/// `UniPCMultistepScheduler`, variants bh1 and bh2 (default).
///
/// The predictor of order p interpolates the last p predictions in λ; the corrector redoes the last
/// step with the prediction at its end.
/// - Source: Zhao et al. 2023 (UniPC), algorithms 1 and 2 and appendix.
package struct UniPC: Scheduler {
  private let levels: MultistepLevels
  private let config: SchedulerConfig
  /// Predicted data of the last steps, the newest first.
  private var history: [[Float]] = []
  private var lastSample: [Float] = []
  private var lastOrder = 0

  package init(_ config: SchedulerConfig, steps: Int) {
    self.config = config
    levels = MultistepLevels(config, steps: steps)
  }

  package var timesteps: [Double] { levels.timesteps }
  /// Noise levels, one more than steps.
  package var sigmas: [Float] { levels.sigmas }

  package func level(_ call: Int) -> SampleLevel { levels.level(call) }

  package mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float] {
    let now = levels.coefficients(step)
    let data = config.prediction.data(sample, modelOutput, alpha: now.alpha, sigma: now.sigma)
    var sample = sample
    if lastOrder > 0 {
      sample = move(lastSample, from: step - 1, order: lastOrder, arrival: data)
    }
    let remaining = timesteps.count - step
    var order = config.lowerOrderFinal ? min(config.solverOrder, remaining) : config.solverOrder
    // At level zero h is infinite, which only the first order can stand.
    if sigmas[step + 1] == 0 { order = 1 }
    order = min(order, history.count + 1)
    history = [data] + history.prefix(config.solverOrder - 1)
    (lastSample, lastOrder) = (sample, order)
    return move(sample, from: step, order: order, arrival: nil)
  }

  /// One step of the predictor, or with the prediction at its end, of the corrector.
  private func move(
    _ sample: [Float], from step: Int, order: Int, arrival: [Float]?
  ) -> [Float] {
    let (now, target) = (levels.coefficients(step), levels.coefficients(step + 1))
    let h = target.lambda - now.lambda
    var ratios = (1..<max(order, 1)).map { back in
      (levels.coefficients(step - back).lambda - now.lambda) / h
    }
    var slopes = ratios.enumerated().map { i, ratio in
      combine([(Float(1 / ratio), history[i + 1]), (Float(-1 / ratio), history[0])])
    }
    if let arrival {
      ratios.append(1)
      slopes.append(combine([(1, arrival), (-1, history[0])]))
    }
    let decay = expm1(-h)
    let base = config.solverType == .bh1 ? -h : decay
    var terms = [
      (Float(target.sigma / now.sigma), sample), (Float(-target.alpha * decay), history[0]),
    ]
    for (weight, slope) in zip(weights(ratios, h, decay, base), slopes) {
      terms.append((Float(-target.alpha * base * weight), slope))
    }
    return combine(terms)
  }

  /// The weights ρ with `Σ ρᵢ·rᵢ^(k−1) = φ_k·k!/B` for every `k` up to their number.
  private func weights(
    _ ratios: [Double], _ h: Double, _ decay: Double, _ base: Double
  ) -> [Double] {
    let n = ratios.count
    // Upstream takes the limit of the single equation.
    if n <= 1 { return [Double](repeating: 0.5, count: n) }
    var phi = decay / -h - 1
    var factorial = 1.0
    var rows: [[Double]] = []
    for k in 0..<n {
      rows.append(ratios.map { pow($0, Double(k)) } + [phi * factorial / base])
      factorial *= Double(k + 2)
      phi = phi / -h - 1 / factorial
    }
    return Self.solve(rows)
  }

  /// Gauss elimination with row exchange; the last column is the right-hand side.
  private static func solve(_ system: [[Double]]) -> [Double] {
    var rows = system
    let n = rows.count
    for column in 0..<n {
      let pivot = (column..<n).max { abs(rows[$0][column]) < abs(rows[$1][column]) } ?? column
      rows.swapAt(column, pivot)
      for row in 0..<n where row != column {
        let factor = rows[row][column] / rows[column][column]
        for j in column...n { rows[row][j] -= factor * rows[column][j] }
      }
    }
    return (0..<n).map { rows[$0][n] / rows[$0][$0] }
  }
}
