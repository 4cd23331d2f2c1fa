import MoscRuntime

extension PackedWeights {
  /// What a look-up of numbers found.
  package enum Numbers: Sendable {
    case hit([Double])
    case miss
  }

  /// A few numbers that are kept between runs; damaged ones are none.
  package func numbers(_ key: String, count: Int) -> Numbers {
    guard case .hit(let buffer) = value(key, byteCount: count * 8) else { return .miss }
    let bytes = UnsafeRawBufferPointer(start: buffer.address, count: count * 8)
    return .hit((0..<count).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Double.self) })
  }

  /// Keeps numbers between runs, if they can be written.
  package func keep(_ numbers: [Double], _ key: String) {
    guard let buffer = try? AlignedBuffer(byteCount: numbers.count * 8) else { return }
    let target = UnsafeMutableRawBufferPointer(start: buffer.address, count: numbers.count * 8)
    numbers.withUnsafeBytes { target.copyMemory(from: $0) }
    _ = write(key, buffer)
  }
}
