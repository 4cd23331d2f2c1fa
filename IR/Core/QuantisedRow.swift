/// Numbers as 8-bit integers with one scale: `x ≈ s·q` with `q = round(x · 127 / max|x|)` from −127
/// to 127, to the nearest, ties to even, and `s = max|x| / 127`. The error is at most `s/2`.
///
/// In memory a row of activations is its integers plus 128, as bytes, and the scale behind them,
/// f32: dot products of processors take an unsigned and a signed factor. Weights are signed; see
/// `Pack` for their panels.
package struct QuantisedRow: Hashable, Sendable {
  package let scale: Float
  package let integers: [Int]

  /// The bytes of a row's scale.
  package static let scaleBytes = 4
  /// The bytes of a column's scale and correction in panels, per tap.
  package static let panelScaleBytes = 8
  /// The largest magnitude of an integer.
  package static let largest = 127
  /// What is added to an activation's integer in memory.
  package static let zeroPoint = 128

  /// Rounds numbers as kernels do, in f32.
  package init(_ numbers: some Collection<Double>) {
    let top = numbers.reduce(Float(0)) { max($0, abs(Float($1))) }
    let inverse = top > 0 ? Float(Self.largest) / top : 0
    scale = top / Float(Self.largest)
    integers = numbers.map {
      let integer = (Float($0) * inverse).rounded(.toNearestOrEven)
      return integer.isNaN ? 0 : Int(min(max(integer, -127), 127))
    }
  }

  /// The numbers that are left.
  package var numbers: [Double] { integers.map { Double($0) * Double(scale) } }
}
