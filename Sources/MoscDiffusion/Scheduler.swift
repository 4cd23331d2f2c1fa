/// Turns model outputs into the next, less noisy sample.
///
/// Samples are flat float32 arrays of any shape. Timesteps are training indices (0…999), σ are
/// noise levels in units of the data's standard deviation.
package protocol Scheduler: Sendable {
  /// What the model is given at each step, in order.
  var timesteps: [Double] { get }
  /// What standard-normal noise is multiplied by to give the first sample.
  var initialNoiseScale: Float { get }
  /// Whether `step` adds fresh noise.
  var needsNoise: Bool { get }
  /// How much data and noise the sample holds that a call of the model begins with.
  func level(_ call: Int) -> SampleLevel
  /// Leaves out the first steps, so many as are before `step`, for a run that begins with noised data; nothing
  /// may have been advanced.
  ///
  /// - Returns: the call that the run begins with, among `timesteps` as they are now.
  mutating func begin(at step: Int) -> Int
  /// The first call of the model of a step, counted among all that were asked for.
  func firstCall(of step: Int) -> Int
  /// The sample as the model wants it at a step.
  func modelInput(_ sample: [Float], step: Int) -> [Float]
  /// The sample after a step.
  ///
  /// - Parameter noise: standard-normal numbers, asked for once when `needsNoise`.
  mutating func advance(
    _ sample: [Float], modelOutput: [Float], step: Int, noise: () -> [Float]
  ) -> [Float]
}

extension Scheduler {
  package var initialNoiseScale: Float { 1 }
  package var needsNoise: Bool { false }
  package func modelInput(_ sample: [Float], step: Int) -> [Float] { sample }
  package mutating func begin(at step: Int) -> Int { firstCall(of: step) }
  package func firstCall(of step: Int) -> Int { step }

  /// How often the model is called by a run that leaves out so many steps.
  package func calls(leavingOut steps: Int) -> Int {
    var scheduler = self
    let first = scheduler.begin(at: steps)
    return scheduler.timesteps.count - first
  }

  /// The level at which a run begins that leaves out so many steps.
  package func level(leavingOut steps: Int) -> SampleLevel {
    var scheduler = self
    let first = scheduler.begin(at: steps)
    return scheduler.level(first)
  }
}

/// `Σ cᵢ·xᵢ`, elementwise in f32, in the order given.
func combine(_ terms: [(Float, [Float])]) -> [Float] {
  guard let first = terms.first else { return [] }
  var result = first.1.map { $0 * first.0 }
  for (factor, values) in terms.dropFirst() {
    for i in result.indices { result[i] += factor * values[i] }
  }
  return result
}

/// Classifier-free guidance: `u + g · (c − u)`.
///
/// - Source: Ho & Salimans 2022, eq. 6, in the form of Stable Diffusion.
package func guide(unconditional: [Float], conditional: [Float], scale: Float) -> [Float] {
  zip(unconditional, conditional).map { $0 + scale * ($1 - $0) }
}

/// Guidance by several prompts at once: `u + g · Σ wᵢ · (cᵢ − u)`.
///
/// - Source: Liu et al. 2022 (Composable Diffusion), eq. 11.
package func guide(
  unconditional: [Float], parts: [(conditional: [Float], weight: Float)], scale: Float
) -> [Float] {
  var result = unconditional
  for (conditional, weight) in parts {
    let factor = scale * weight
    for i in result.indices { result[i] += factor * (conditional[i] - unconditional[i]) }
  }
  return result
}
