/// Which timesteps the pictures of a batch get.
///
/// One from each of as many equal parts of the distribution as there are pictures, so that every
/// batch holds all levels of noise. `noisyShare` of the distribution lies evenly in the noisiest
/// 15 % of the schedule, the rest evenly below; 0.15 is the uniform distribution. In small latents
/// even those steps show where things are (a blob of k pixels has k times the signal to noise of
/// one), so what a caption says of places is learnt from few pictures unless there are more of them.
package struct TimestepSpread: Hashable, Sendable {
  package var noisyShare: Double

  /// The part of the schedule that counts as noisiest.
  package static let noisiest = 0.15

  package init(noisyShare: Double = Self.noisiest) { self.noisyShare = noisyShare }

  /// The timestep of a picture.
  ///
  /// - Parameters:
  ///   - place: the number of the picture in its batch of `count`.
  ///   - random: from 0 up to but not including 1.
  ///   - steps: timesteps of the schedule.
  package func timestep(place: Int, of count: Int, random: Double, steps: Int) -> Int {
    let share = (Double(place) + random) / Double(count)
    let quiet = 1 - noisyShare
    let position =
      share < quiet
      ? share / quiet * (1 - Self.noisiest)
      : 1 - Self.noisiest + (share - quiet) / noisyShare * Self.noisiest
    return min(Int(position * Double(steps)), steps - 1)
  }
}
