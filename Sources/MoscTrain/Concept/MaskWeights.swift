import Foundation

/// What the masks of a batch weigh the losses of a step with.
///
/// Noise: `w = m / (b · Σ m)` per picture, so that `Σ w·e` over four channels is the reference's loss,
/// which divides by the sum of the one-channel mask. Attention, at a resolution, with g the mask
/// scaled there by nearest neighbour: `outside = [g = 0] / #[g = 0]` over the batch. Source:
/// Mix-of-Show, `mixofshow/pipelines/trainer_edlora.py`.
package struct MaskWeights: Sendable {
  /// `[h·w]` for each picture.
  private let masks: [[Double]]
  private let height: Int
  private let width: Int

  package init(_ masks: [[Double]], height: Int, width: Int) {
    self.masks = masks
    self.height = height
    self.width = width
  }

  /// The weights of squared errors, `[b,h,w,1]`.
  package var noise: [Float] {
    masks.flatMap { mask in
      let sum = mask.reduce(0, +) * Double(masks.count)
      return mask.map { sum > 0 ? Float($0 / sum) : 0 }
    }
  }

  /// The masks at a resolution, `[b,h',w']`, as PyTorch's `nearest` picks pixels.
  package func scaled(_ toHeight: Int, _ toWidth: Int) -> [Double] {
    masks.flatMap { mask in
      (0..<toHeight * toWidth).map { index in
        let row = index / toWidth * height / toHeight
        let column = index % toWidth * width / toWidth
        return mask[row * width + column]
      }
    }
  }

  /// The weights of attention off the concept, `[b,h'·w',1]`; nil when no pixel is off the concept,
  /// where the reference drops the regulariser.
  package func outside(_ toHeight: Int, _ toWidth: Int) -> [Float]? {
    let isOff = scaled(toHeight, toWidth).map { $0 == 0 }
    let count = isOff.count { $0 }
    return count == 0 ? nil : isOff.map { $0 ? 1 / Float(count) : 0 }
  }
}
