import MoscFormats

/// What a model predicted once, for another one to learn.
package struct DistillationExample: Sendable {
  /// The noised latents that the network read, `[1,h,w,c]`.
  package var sample: HostArray
  package var timestep: Double
  package var prompt: String
  /// The prediction, noise or velocity, `[1,h,w,c]`.
  package var target: HostArray

  package init(sample: HostArray, timestep: Double, prompt: String, target: HostArray) {
    (self.sample, self.timestep, self.prompt, self.target) = (sample, timestep, prompt, target)
  }
}

/// How long a model learns what others predict, and how fast.
package struct DistillationSettings: Hashable, Sendable {
  package var steps: Int
  /// Examples of a step.
  package var batch = 2
  /// The learning rate of all layers.
  package var rate: Double
  package var seed: UInt64 = 0

  package init(steps: Int, rate: Double) { (self.steps, self.rate) = (steps, rate) }
}
