extension SchedulerConfig.Prediction {
  /// The data `x₀` that a model output stands for, where the sample is `α·x₀ + σ·ε`.
  ///
  /// ε: `(x − σ·ε)/α`; velocity: `α·x − σ·v`; data: itself.
  func data(_ sample: [Float], _ output: [Float], alpha: Double, sigma: Double) -> [Float] {
    switch self {
    case .epsilon:
      combine([(Float(1 / alpha), sample), (Float(-sigma / alpha), output)])
    case .velocity:
      combine([(Float(alpha), sample), (Float(-sigma), output)])
    case .sample: output
    }
  }

  /// The data that a model output stands for, where the sample is `x₀ + σ·ε` and the model was
  /// given `x/√(σ² + 1)`.
  func data(_ sample: [Float], _ output: [Float], level sigma: Float) -> [Float] {
    switch self {
    case .epsilon: return combine([(1, sample), (-sigma, output)])
    case .velocity:
      let square = sigma * sigma + 1
      return combine([(-sigma / square.squareRoot(), output), (1 / square, sample)])
    case .sample: return output
    }
  }
}
