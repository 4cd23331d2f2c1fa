/// The forward process of diffusion: how much of the data and of the noise a training step holds.
///
/// - Source: Ho et al. 2020, eq. 4; velocity: Salimans & Ho 2022, appendix D; as diffusers'
///   `DDPMScheduler.add_noise` and `get_velocity`.
package struct NoiseSchedule: Hashable, Sendable {
  /// `ᾱ_t`, falling from nearly 1.
  package let alphas: [Float]

  package init(_ config: SchedulerConfig) { alphas = config.alphasCumprod }

  /// `√ᾱ_t` and `√(1 − ᾱ_t)` in f32.
  package func coefficients(_ t: Int) -> (signal: Float, noise: Float) {
    let alpha = alphas[min(max(t, 0), alphas.count - 1)]
    return (alpha.squareRoot(), (1 - alpha).squareRoot())
  }

  /// `√ᾱ_t · x + √(1 − ᾱ_t) · ε`.
  package func noisy(_ data: [Float], noise: [Float], timestep: Int) -> [Float] {
    let (a, b) = coefficients(timestep)
    return zip(data, noise).map { a * $0 + b * $1 }
  }

  /// `√ᾱ_t · ε − √(1 − ᾱ_t) · x`, what velocity prediction is trained on.
  package func velocity(_ data: [Float], noise: [Float], timestep: Int) -> [Float] {
    let (a, b) = coefficients(timestep)
    return zip(data, noise).map { a * $1 - b * $0 }
  }
}
