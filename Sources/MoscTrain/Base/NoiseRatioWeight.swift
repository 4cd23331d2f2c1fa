/// How much the error in predicted noise weighs at a timestep.
///
///     weight = max(min(snr, γ), φ)/snr, or over snr + 1 for velocity,  snr = ᾱ/(1 − ᾱ)
///
/// Where things are is decided while there is almost only noise, at snr ≪ 1: everywhere else the
/// picture itself shows it. Without the floor φ those steps weigh next to nothing, and what a
/// caption says of places is learnt late. Source: Hang et al. 2023 (min-SNR), where φ = 0.
package struct NoiseRatioWeight: Hashable, Sendable {
  /// γ.
  package var limit: Double
  /// φ.
  package var floor: Double

  package init(limit: Double, floor: Double = 0) {
    self.limit = limit
    self.floor = floor
  }

  /// The weight at a share ᾱ of the data in the variance.
  package func callAsFunction(_ alpha: Double, predictsVelocity: Bool = false) -> Double {
    let ratio = alpha / max(1 - alpha, 1e-8)
    return max(min(ratio, limit), floor) / (predictsVelocity ? ratio + 1 : ratio)
  }
}
