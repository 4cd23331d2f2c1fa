import MoscDiffusion
import MoscReport

extension SampleRequest {
  /// Checks `--sigmas` and takes the number of steps from it.
  ///
  /// - Throws: a usage error that names the first level that cannot be, or the sampler that has no use for them.
  mutating func takeSigmas() throws {
    guard var levels = sigmas else { return }
    if levels.last == 0 { levels.removeLast() }
    guard !levels.isEmpty else { throw CommandError.usage("--sigmas: expected a level above zero") }
    guard sampler.sampler.takesLevels else {
      throw CommandError.usage(
        "--sigmas: \(sampler) goes by timesteps, which --timestep-spacing places; take Euler or another")
    }
    for (i, level) in levels.enumerated() {
      let limit = i == 0 ? 1e6 : levels[i - 1]
      guard level > 0, i == 0 ? level <= limit : level < limit else {
        throw CommandError.usage(
          "--sigmas: level \(i + 1) is \(level), expected one above 0 and "
            + (i == 0 ? "up to a million" : "below \(limit), the one before"))
      }
    }
    (sigmas, steps) = (levels, levels.count)
  }
}
