/// The element types of safetensors files, as they spell them.
package enum ElementType: String, CaseIterable, Hashable, Sendable {
  case f64 = "F64"
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case i64 = "I64"
  case i32 = "I32"
  case i16 = "I16"
  case i8 = "I8"
  case u8 = "U8"
  case bool = "BOOL"
  /// 4 bits of exponent, 3 of mantissa, no infinities; not-a-number is all ones.
  case f8e4m3 = "F8_E4M3"
  /// The upper half of an f16.
  case f8e5m2 = "F8_E5M2"

  /// The size of one element in bytes.
  package var byteSize: Int {
    switch self {
    case .f64, .i64: 8
    case .f32, .i32: 4
    case .f16, .bf16, .i16: 2
    case .i8, .u8, .bool, .f8e4m3, .f8e5m2: 1
    }
  }

  /// Whether elements are floats of 8 bits.
  package var isSmallFloat: Bool { self == .f8e4m3 || self == .f8e5m2 }

  /// Whether elements are floating-point numbers.
  package var isFloat: Bool {
    switch self {
    case .f64, .f32, .f16, .bf16, .f8e4m3, .f8e5m2: true
    case .i64, .i32, .i16, .i8, .u8, .bool: false
    }
  }
}

extension ElementType {
  /// Converts raw elements to float32; f64 and large integers are rounded.
  package static func floats(_ buffer: UnsafeRawBufferPointer, _ dtype: ElementType) -> [Float] {
    let count = buffer.count / dtype.byteSize
    return [Float](unsafeUninitializedCapacity: count) { target, used in
      func fill<T: BitwiseCopyable>(_ type: T.Type, _ convert: (T) -> Float) {
        for i in 0..<count {
          target[i] = convert(
            buffer.loadUnaligned(fromByteOffset: i * MemoryLayout<T>.size, as: type))
        }
      }
      switch dtype {
      case .f32:
        UnsafeMutableRawBufferPointer(target).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: buffer[..<(count * 4)]))
      case .f16: fill(UInt16.self) { float(f16: $0) }
      case .bf16: fill(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
      case .f64: fill(Double.self) { Float($0) }
      case .i64: fill(Int64.self) { Float($0) }
      case .i32: fill(Int32.self) { Float($0) }
      case .i16: fill(Int16.self) { Float($0) }
      case .i8: fill(Int8.self) { Float($0) }
      case .u8: fill(UInt8.self) { Float($0) }
      case .bool: fill(UInt8.self) { $0 == 0 ? 0 : 1 }
      case .f8e4m3: fill(UInt8.self) { float(e4m3: $0) }
      case .f8e5m2: fill(UInt8.self) { float(f16: UInt16($0) << 8) }
      }
      used = count
    }
  }

  /// The value of a half-precision number, by integer arithmetic: the baseline CPU has no
  /// conversion instruction, and the library call for each element is slow.
  @inline(__always)
  private static func float(f16 bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7fff)
    let bias: UInt32 = magnitude >= 0x7c00 ? 224 : 112
    let normal = (magnitude << 13) + bias << 23
    let subnormal = (Float(magnitude) * 0x1p-24).bitPattern
    let pattern = magnitude < 0x400 ? subnormal : normal
    return Float(bitPattern: pattern | UInt32(bits & 0x8000) << 16)
  }

  /// The value of an 8-bit float: `(-1)^s · 2^(e-7) · (1 + m/8)`, subnormals `2^-6 · m/8`.
  ///
  /// Source: Micikevicius et al. 2022, "FP8 formats for deep learning", table 1.
  private static func float(e4m3 bits: UInt8) -> Float {
    let (exponent, mantissa) = (Int(bits >> 3 & 15), Float(bits & 7) / 8)
    if bits & 0x7f == 0x7f { return .nan }
    let magnitude =
      exponent == 0
      ? Float(sign: .plus, exponent: -6, significand: mantissa)
      : Float(sign: .plus, exponent: exponent - 7, significand: 1 + mantissa)
    return bits & 0x80 == 0 ? magnitude : -magnitude
  }

  /// Converts raw elements to float64.
  package static func doubles(_ buffer: UnsafeRawBufferPointer, _ dtype: ElementType) -> [Double] {
    (0..<buffer.count / dtype.byteSize).map { element(buffer, $0, dtype) }
  }

  private static func element(
    _ buffer: UnsafeRawBufferPointer, _ index: Int, _ dtype: ElementType
  ) -> Double {
    func load<T: BitwiseCopyable>(_ type: T.Type) -> T {
      buffer.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.size, as: type)
    }
    switch dtype {
    case .f64: return load(Double.self)
    case .f32: return Double(load(Float.self))
    case .f16: return Double(load(Float16.self))
    case .bf16: return Double(Float(bitPattern: UInt32(load(UInt16.self)) << 16))
    case .i64: return Double(load(Int64.self))
    case .i32: return Double(load(Int32.self))
    case .i16: return Double(load(Int16.self))
    case .i8: return Double(load(Int8.self))
    case .u8: return Double(load(UInt8.self))
    case .bool: return load(UInt8.self) == 0 ? 0 : 1
    case .f8e4m3: return Double(float(e4m3: load(UInt8.self)))
    case .f8e5m2: return Double(float(f16: UInt16(load(UInt8.self)) << 8))
    }
  }
}
