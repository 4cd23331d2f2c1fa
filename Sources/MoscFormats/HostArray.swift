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

  /// A float16 tensor.
  package init(_ values: [Float16], shape: [Int]) {
    self.init(dtype: .f16, shape: shape, bytes: values.withUnsafeBytes { Array($0) })
  }

  /// An int32 tensor.
  package init(_ values: [Int32], shape: [Int]) {
    self.init(dtype: .i32, shape: shape, bytes: values.withUnsafeBytes { Array($0) })
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
