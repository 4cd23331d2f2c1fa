import MoscFormats
import Testing

/// Conversion of stored elements to numbers.
@Suite struct ElementTypeTests {
  private func array<T: BitwiseCopyable>(_ values: [T], _ dtype: ElementType) -> HostArray {
    HostArray(dtype: dtype, shape: [values.count], bytes: values.withUnsafeBytes { Array($0) })
  }

  /// All half-precision numbers convert as the library does.
  @Test func everyHalf() {
    let patterns = (0...UInt16.max).map { $0 }
    let converted = array(patterns, .f16).floats
    let wrong = zip(patterns, converted).filter { pattern, value in
      let expected = Float(Float16(bitPattern: pattern))
      return value.bitPattern != expected.bitPattern && !(value.isNaN && expected.isNaN)
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(3))")
  }

  @Test func integersAndOthers() {
    #expect(array([Int8(-128), 127], .i8).floats == [-128, 127])
    #expect(array([Int16(-300), 300], .i16).floats == [-300, 300])
    #expect(array([Int32.min, 5], .i32).floats == [-2_147_483_648, 5])
    #expect(array([Int64.max, -5], .i64).ints == [.max, -5])
    #expect(array([UInt8(0), 200], .u8).floats == [0, 200])
    #expect(array([UInt8(0), 1], .bool).floats == [0, 1])
    #expect(array([0x3f80, 0xc000] as [UInt16], .bf16).doubles == [1, -2])
    #expect(array([1.5, -1e300], .f64).floats == [1.5, -.infinity])
  }

  /// Numbers that no integer holds are clamped.
  @Test func wildNumbersAsIntegers() {
    let wild = array([1e300, -1e300, .nan, .infinity, -.infinity, -2.9] as [Double], .f64)
    #expect(wild.ints == [.max, .min, 0, .max, .min, -2])
  }

  @Test func unalignedElements() {
    let bytes: [UInt8] = [9, 0, 0, 0x80, 0x3f]
    let value = bytes.withUnsafeBytes {
      ElementType.floats(UnsafeRawBufferPointer(rebasing: $0[1...]), .f32)
    }
    #expect(value == [1])
  }
}
