/// How much of the data and of standard-normal noise a sample holds: `x = a·x₀ + b·ε`.
package struct SampleLevel: Hashable, Sendable {
  package var signal: Float
  package var noise: Float

  package init(signal: Float, noise: Float) { (self.signal, self.noise) = (signal, noise) }

  /// The level of samples `x₀ + σ·ε`.
  package init(sigma: Float) { self.init(signal: 1, noise: sigma) }

  /// The level of samples `√ᾱ·x₀ + √(1 − ᾱ)·ε`.
  package init(alpha: Float) {
    self.init(signal: alpha.squareRoot(), noise: (1 - alpha).squareRoot())
  }

  /// The data itself, where a run ends.
  package static let data = SampleLevel(signal: 1, noise: 0)

  /// The noise in units of the data, by which levels of all schedulers compare; infinite without data.
  package var ratio: Float { noise / signal }

  /// `a·x₀ + b·ε`.
  package func noisy(_ data: [Float], noise values: [Float]) -> [Float] {
    zip(data, values).map { signal * $0 + noise * $1 }
  }

  /// The data that a model's output stands for.
  ///
  /// With `r = √(a² + b²)`, ε: `(x − b·ε)/a`; velocity: `(a·x/r − b·v)/r`; data: itself.
  package func data(
    _ sample: [Float], _ output: [Float], _ prediction: SchedulerConfig.Prediction
  ) -> [Float] {
    switch prediction {
    case .epsilon: return combine([(1 / signal, sample), (-noise / signal, output)])
    case .velocity:
      let size = (signal * signal + noise * noise).squareRoot()
      return combine([(signal / (size * size), sample), (-noise / size, output)])
    case .sample: return output
    }
  }
}
