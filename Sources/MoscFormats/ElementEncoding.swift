extension ElementType {
  /// Numbers as stored elements of a float type, rounded to nearest even; nil for a type of integers.
  package static func bytes(_ values: [Float], _ dtype: ElementType) -> [UInt8]? {
    switch dtype {
    case .f32: values.withUnsafeBytes { Array($0) }
    case .f64: values.map { Double($0) }.withUnsafeBytes { Array($0) }
    case .f16: values.map { Float16($0) }.withUnsafeBytes { Array($0) }
    case .bf16: values.map { bf16($0) }.withUnsafeBytes { Array($0) }
    case .i64, .i32, .i16, .i8, .u8, .bool, .f8e4m3, .f8e5m2: nil
    }
  }

  private static func bf16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    // The carry of rounding would make infinity or zero of a not-a-number.
    if value.isNaN { return UInt16(bits >> 16) | 0x40 }
    return UInt16((bits + 0x7fff + (bits >> 16 & 1)) >> 16)
  }
}
