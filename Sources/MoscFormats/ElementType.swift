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

  /// The size of one element in bytes.
  package var byteSize: Int {
    switch self {
    case .f64, .i64: 8
    case .f32, .i32: 4
    case .f16, .bf16, .i16: 2
    case .i8, .u8, .bool: 1
    }
  }

  /// Whether elements are floating-point numbers.
  package var isFloat: Bool {
    switch self {
    case .f64, .f32, .f16, .bf16: true
    case .i64, .i32, .i16, .i8, .u8, .bool: false
    }
  }
}

/// A tensor in host memory, owned: name-free, row-major, little endian.
package struct HostArray: Hashable, Sendable {
  package var dtype: ElementType
  package var shape: [Int]
  package var bytes: [UInt8]

  package init(dtype: ElementType, shape: [Int], bytes: [UInt8]) {
    self.dtype = dtype
    self.shape = shape
    self.bytes = bytes
  }

  /// A float32 tensor.
  package init(_ values: [Float], shape: [Int]) {
    self.init(dtype: .f32, shape: shape, bytes: values.withUnsafeBytes { Array($0) })
  }

  /// An int64 tensor.
  package init(_ values: [Int64], shape: [Int]) {
    self.init(dtype: .i64, shape: shape, bytes: values.withUnsafeBytes { Array($0) })
  }

  /// A float64 tensor.
  package init(_ values: [Double], shape: [Int]) {
    self.init(dtype: .f64, shape: shape, bytes: values.withUnsafeBytes { Array($0) })
  }

  /// The number of elements.
  package var count: Int { shape.reduce(1, *) }

  /// The elements as float32.
  package var floats: [Float] {
    bytes.withUnsafeBytes { ElementType.floats($0, dtype) }
  }

  /// The elements as float64.
  package var doubles: [Double] {
    bytes.withUnsafeBytes { ElementType.doubles($0, dtype) }
  }

  /// The elements as integers, truncated toward zero and clamped to 64 bits; not-a-number
  /// becomes 0.
  package var ints: [Int] {
    bytes.withUnsafeBytes { buffer in
      if dtype == .i64 {
        return (0..<buffer.count / 8).map {
          Int(buffer.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self))
        }
      }
      return ElementType.doubles(buffer, dtype).map { value in
        if value.isNaN { return 0 }
        return Int(exactly: value.rounded(.towardZero)) ?? (value < 0 ? .min : .max)
      }
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
    }
  }
}
