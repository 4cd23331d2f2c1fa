import CZlib

/// What a message is about; every message begins with it, so that processes which do not agree find out
/// instead of computing with the wrong numbers.
package struct MessageLabel: Hashable, Sendable, CustomStringConvertible {
  /// What kinds of messages there are.
  package enum Kind: UInt32, Hashable, Sendable {
    case facts = 1
    case verdict, state, gradient, slice, statistics, factors, request, work, picture, progress, end, failure, layer
  }

  package var kind: Kind
  /// The step, concept, layer or batch.
  package var number: Int
  /// The part of it.
  package var part: Int

  package init(_ kind: Kind, _ number: Int = 0, part: Int = 0) {
    (self.kind, self.number, self.part) = (kind, number, part)
  }

  package var description: String { "\(kind) \(number), part \(part)" }
}

/// The first bytes of a message: label, length and checksum of the rest.
struct MessageHeader: Hashable {
  /// "mosc" and the version of the protocol.
  private static let magic: UInt32 = 0x6d6f_7301
  static let byteCount = 40

  let label: MessageLabel
  let length: Int
  /// CRC-32 of the content.
  let checksum: UInt32

  init(_ label: MessageLabel, _ content: UnsafeRawBufferPointer) {
    self.label = label
    length = content.count
    checksum = Self.checksum(content)
  }

  /// Reads a header; nil for bytes that are none.
  init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    func word<T: FixedWidthInteger>(_ offset: Int, _: T.Type) -> T {
      bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
    }
    guard word(0, UInt32.self) == Self.magic,
      let kind = MessageLabel.Kind(rawValue: word(4, UInt32.self)),
      let number = Int(exactly: word(8, Int64.self)), let part = Int(exactly: word(16, Int64.self)),
      let length = Int(exactly: word(24, Int64.self)), length >= 0
    else { return nil }
    label = MessageLabel(kind, number, part: part)
    self.length = length
    checksum = word(32, UInt32.self)
  }

  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    func append(_ value: some FixedWidthInteger) {
      withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }
    append(Self.magic)
    append(label.kind.rawValue)
    append(Int64(label.number))
    append(Int64(label.part))
    append(Int64(length))
    append(checksum)
    append(UInt32(0))
    return bytes
  }

  /// CRC-32 of any number of bytes.
  static func checksum(_ content: UnsafeRawBufferPointer) -> UInt32 {
    var sum = crc32(0, nil, 0)
    var rest = content[...]
    while !rest.isEmpty {
      let part = rest.prefix(1 << 30)
      UnsafeRawBufferPointer(rebasing: part).withMemoryRebound(to: Bytef.self) {
        sum = crc32(sum, $0.baseAddress, uInt($0.count))
      }
      rest = rest.dropFirst(part.count)
    }
    return UInt32(sum)
  }
}
