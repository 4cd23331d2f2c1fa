/// The element types of tensors.
package enum DType: String, CaseIterable, Hashable, Sendable {
  case f32, bf16, f16, i32, u8, i8
  /// Rows of 8-bit integers that share a scale: see `QuantisedRow`. Factors of contractions only.
  case q8

  /// The size of one element in bytes.
  package var byteSize: Int {
    switch self {
    case .f32, .i32: 4
    case .bf16, .f16: 2
    case .u8, .i8, .q8: 1
    }
  }

  /// Whether elements are floating-point numbers.
  package var isFloat: Bool {
    switch self {
    case .f32, .bf16, .f16: true
    case .i32, .u8, .i8, .q8: false
    }
  }

  /// Whether every number of the other type is a number of this type.
  package func represents(_ other: DType) -> Bool {
    if self == other { return true }
    switch (self, other) {
    case (.f32, .bf16), (.f32, .f16), (.f32, .u8), (.f32, .i8), (.i32, .u8), (.i32, .i8),
      (.f16, .u8), (.f16, .i8), (.bf16, .u8), (.bf16, .i8):
      return true
    default:
      return false
    }
  }

  /// The value that a store of `x` in this type leaves: round to nearest even for floats,
  /// truncation toward zero and saturation for integers (NaN becomes 0). In `q8` it depends on the
  /// row and is left to those that make one.
  package func round(_ x: Double) -> Double {
    switch self {
    case .f32: return Double(Float(x))
    case .f16: return Double(Float16(x))
    case .bf16: return Double(Self.roundToBF16(Float(x)))
    case .i32: return Self.saturate(x, -2_147_483_648, 2_147_483_647)
    case .u8: return Self.saturate(x, 0, 255)
    case .i8: return Self.saturate(x, -128, 127)
    case .q8: return x
    }
  }

  /// Rounds to the nearest bfloat16, ties to even; NaN stays NaN.
  package static func roundToBF16(_ x: Float) -> Float {
    if x.isNaN { return x }
    let bits = x.bitPattern
    let rounded = (bits &+ 0x7fff &+ ((bits >> 16) & 1)) & 0xffff_0000
    return Float(bitPattern: rounded)
  }

  private static func saturate(_ x: Double, _ low: Double, _ high: Double) -> Double {
    x.isNaN ? 0 : min(max(x.rounded(.towardZero), low), high)
  }
}
