/// The matrices of Winograd's minimal filtering F(m×m, 3×3), which computes m×m outputs of a 3×3
/// convolution with (m+2)² multiplications per channel pair instead of 9·m².
///
/// `Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A` for a filter g and an input square d of edge m+2. With f32
/// sums the error is about that of the direct sum for m = 2 and a few times that for m = 4; bf16
/// factors only allow m = 2.
///
/// - Source: Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks"; interpolation
///   points 0, ±1 (m = 2) and 0, ±1, ±2 (m = 4).
package struct WinogradTransform: Hashable, Sendable {
  /// Outputs along an edge of a tile: 2 or 4.
  package let outputs: Int
  /// Bᵀ `[m+2, m+2]`, applied to input squares from both sides.
  package let input: [[Double]]
  /// G `[m+2, 3]`, applied to filters from both sides.
  package let weight: [[Double]]
  /// Aᵀ `[m, m+2]`, applied to sums of products from both sides.
  package let output: [[Double]]

  /// The transform for tiles of `outputs` × `outputs`, or nil when there is none.
  package init?(outputs: Int) {
    self.outputs = outputs
    switch outputs {
    case 2:
      input = [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]
      weight = [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]
      output = [[1, 1, 1, 0], [0, 1, -1, -1]]
    case 4:
      input = [
        [4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
      ]
      weight = [
        [1.0 / 4, 0, 0], [-1.0 / 6, -1.0 / 6, -1.0 / 6], [-1.0 / 6, 1.0 / 6, -1.0 / 6],
        [1.0 / 24, 1.0 / 12, 1.0 / 6], [1.0 / 24, -1.0 / 12, 1.0 / 6], [0, 0, 1],
      ]
      output = [
        [1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1],
      ]
    default: return nil
    }
  }

  /// Inputs along an edge of a square.
  package var edge: Int { outputs + 2 }
  /// Products per tile and channel pair.
  package var points: Int { edge * edge }

  /// `M · x · Mᵀ` of a row-major square x, row-major.
  package static func apply(_ matrix: [[Double]], _ square: [Double]) -> [Double] {
    let edge = matrix[0].count
    return matrix.flatMap { row in
      matrix.map { column in
        var sum = 0.0
        for i in 0..<edge where row[i] != 0 {
          for j in 0..<edge { sum += row[i] * square[i * edge + j] * column[j] }
        }
        return sum
      }
    }
  }
}
