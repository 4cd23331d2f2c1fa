import MoscModel
import MoscReport

/// Which steps compute the whole U-Net; the others take its deep features from the last such step.
package struct StepReuseOptions: Hashable, Codable, Sendable {
  /// Every so many calls of the model compute all of it; 1 for all.
  package var interval = 1
  /// How many of the U-Net's skips the other calls compute (`UNet.Reuse`).
  package var depth = UNet.Reuse.usualDepth
  /// How many calls at the beginning compute all of it.
  package var first = 0

  package init() {}

  package var isOn: Bool { interval > 1 }

  /// Whether a call, from 0, computes the whole U-Net.
  ///
  /// Source: Ma, Fang & Wang 2024 (DeepCache), the uniform schedule, behind calls that reuse nothing.
  package func isWhole(_ call: Int) -> Bool {
    call < first || (call - first) % max(interval, 1) == 0
  }

  /// - Throws: a usage error for the first number that cannot be.
  package func check(_ unet: UNetConfig) throws {
    try CommandError.check("reuse", interval, in: 1...1000)
    guard isOn else { return }
    try CommandError.check("reuse-depth", depth, in: 1...unet.skipCount - 1)
    try CommandError.check("reuse-first", first, in: 0...1000)
  }
}
