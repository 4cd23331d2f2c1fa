/// Copies strided views of elements into row-major order.
enum StridedCopy {
  /// The elements `offset + Σ iₖ·strides[k]` for all `i` below `shape`, the last axis fastest.
  ///
  /// - Parameters:
  ///   - source: where all of these elements lie.
  ///   - size: the bytes of an element.
  static func rowMajor(
    _ source: UnsafeRawBufferPointer, elementSize size: Int, offset: Int = 0, shape: [Int],
    strides: [Int]
  ) -> [UInt8] {
    func gather<Element: BitwiseCopyable>(_ type: Element.Type) -> [UInt8] {
      let count = shape.reduce(1, *)
      return [UInt8](unsafeUninitializedCapacity: count * size) { target, used in
        let target = UnsafeMutableRawBufferPointer(target)
        var indices = [Int](repeating: 0, count: shape.count)
        var place = offset
        for element in 0..<count {
          target.storeBytes(
            of: source.loadUnaligned(fromByteOffset: place * size, as: type),
            toByteOffset: element * size, as: type)
          for axis in shape.indices.reversed() {
            indices[axis] += 1
            place += strides[axis]
            if indices[axis] < shape[axis] { break }
            place -= strides[axis] * shape[axis]
            indices[axis] = 0
          }
        }
        used = count * size
      }
    }
    switch size {
    case 1: return gather(UInt8.self)
    case 2: return gather(UInt16.self)
    case 4: return gather(UInt32.self)
    default: return gather(UInt64.self)
    }
  }
}
