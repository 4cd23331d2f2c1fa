import Foundation

/// How a learning rate changes over a run, as a factor of the rate that was asked for.
package struct LearningRateSchedule: Hashable, Sendable {
  /// The shape after the warm-up.
  package enum Shape: String, CaseIterable, Hashable, Sendable {
    case constant
    /// Falls to zero at the end.
    case linear
    /// Falls to zero along half a cosine.
    case cosine
  }

  package var shape: Shape
  /// Steps over which the rate rises from zero.
  package var warmUp: Int
  /// Steps of the whole run; a fraction is possible, as the reference divides samples by batches.
  package var total: Double

  package init(_ shape: Shape, warmUp: Int = 0, total: Double) {
    self.shape = shape
    self.warmUp = warmUp
    self.total = total
  }

  /// The factor in a step, counted from 0. Source: diffusers `get_scheduler`.
  package func factor(_ step: Int) -> Double {
    if step < warmUp { return Double(step) / Double(max(1, warmUp)) }
    let progress = Double(step - warmUp) / max(1, total - Double(warmUp))
    switch shape {
    case .constant: return 1
    case .linear: return max(0, 1 - progress)
    case .cosine: return max(0, 0.5 * (1 + cos(Double.pi * min(1, progress))))
    }
  }
}
