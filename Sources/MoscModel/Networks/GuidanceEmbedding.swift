import Foundation
import MoscFormats

/// The guidance that a consistency model was distilled for, as its U-Net reads it.
///
/// `g = [sin(1000·w·f), cos(1000·w·f)]` with `fᵢ = 10000^(−i/(h−1))` for i = 0…h−1, h half the width, and
/// `w` the guidance less 1; a last 0 when the width is odd. Source: Luo et al. 2023; diffusers
/// `get_guidance_scale_embedding`.
package enum GuidanceEmbedding {
  /// The name of the input.
  package static let input = "timestep_cond"

  /// The embedding of a guidance for a batch: `[n,width]`.
  package static func of(_ guidance: Double, width: Int, batch: Int) -> HostArray {
    let half = width / 2
    let scaled = Float(guidance - 1) * 1000
    let step = Float(log(10000.0)) / Float(max(half - 1, 1))
    let angles = (0..<half).map { scaled * exp(Float($0) * -step) }
    let row = angles.map { sin($0) } + angles.map { cos($0) } + (width % 2 == 1 ? [0] : [])
    return HostArray([[Float]](repeating: row, count: batch).flatMap { $0 }, shape: [batch, width])
  }
}
