import MoscReport
import MoscRuntime

/// What one part of a step gives: loss, measure, and whether its process was asked to end; all gradients follow.
package struct GradientPart {
  package var loss: Double
  package var measure: Double
  package var isInterrupted = false

  /// Bytes before the gradients.
  static let headerBytes = 24

  package init(loss: Double, measure: Double) { (self.loss, self.measure) = (loss, measure) }

  /// Bytes of a message with all gradients.
  package static func byteCount(_ groups: [ParameterGroup]) -> Int {
    headerBytes + groups.reduce(0) { $0 + ($1.buffer(.gradients)?.byteCount ?? 0) }
  }

  /// A message with all gradients.
  package func bytes(_ groups: [ParameterGroup]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.byteCount(groups))
    for number in [loss.bitPattern, measure.bitPattern, Interruption.isRequested ? 1 : 0] {
      withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }
    for group in groups {
      if let floats = group.buffer(.gradients)?.floats { bytes += UnsafeRawBufferPointer(floats) }
    }
    return bytes
  }

  /// Reads the beginning of a message.
  package init?(_ content: [UInt8]) {
    guard content.count >= Self.headerBytes else { return nil }
    func number(_ index: Int) -> UInt64 {
      content.withUnsafeBytes {
        UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
      }
    }
    loss = Double(bitPattern: number(0))
    measure = Double(bitPattern: number(1))
    isInterrupted = number(2) != 0
  }

  /// Puts the gradients of a whole message where a step would have left them.
  func put(_ content: [UInt8], into groups: [ParameterGroup]) {
    var offset = Self.headerBytes
    for group in groups {
      guard let floats = group.buffer(.gradients)?.floats else { continue }
      let target = UnsafeMutableRawBufferPointer(floats)
      content.withUnsafeBytes {
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + target.count]))
      }
      offset += target.count
    }
  }
}
