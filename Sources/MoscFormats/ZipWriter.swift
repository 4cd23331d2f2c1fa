import Foundation

/// Makes a zip archive of stored entries, whose contents begin at multiples of 64 bytes as torch
/// aligns them.
///
/// Dates are fixed, so that equal contents give equal bytes. Entries and archives stay below 4 GiB.
/// Source: PKWARE APPNOTE 6.3, section 4.3.
package struct ZipWriter {
  private var bytes = Data()
  private var directory = Data()
  private var count = 0
  private let path: String

  /// Contents start at multiples of this.
  private static let alignment = 64
  /// 1980-01-01, the first date that zip knows.
  private static let date: UInt16 = 0x21

  /// - Parameter path: what error messages name.
  package init(path: String) { self.path = path }

  /// Appends an entry.
  ///
  /// - Throws: `FormatError` past 4 GiB.
  package mutating func append(_ name: String, _ content: Data) throws(FormatError) {
    let start = bytes.count
    guard start + content.count < Int(UInt32.max) - 1 << 20 else {
      throw FormatError(path, "entry \"\(name)\"", "the archive would be larger than 4 GiB")
    }
    let title = Data(name.utf8)
    // A padding field of the extra data carries the content to its place.
    let plain = start + 30 + title.count + 4
    let padding = (Self.alignment - plain % Self.alignment) % Self.alignment
    var extra = Data()
    extra.append(number: UInt16(0x4246))
    extra.append(number: UInt16(padding))
    extra.append(Data(repeating: 0x5A, count: padding))
    var fields = Data()
    fields.append(number: UInt16(20))
    fields.append(number: UInt16(0x800))
    fields.append(number: UInt16(0))
    fields.append(number: UInt16(0))
    fields.append(number: Self.date)
    fields.append(number: content.withUnsafeBytes { CRC32.checksum($0) })
    fields.append(number: UInt32(content.count))
    fields.append(number: UInt32(content.count))
    fields.append(number: UInt16(title.count))
    bytes.append(number: UInt32(0x0403_4B50))
    bytes.append(fields)
    bytes.append(number: UInt16(extra.count))
    bytes.append(title)
    bytes.append(extra)
    bytes.append(content)
    directory.append(number: UInt32(0x0201_4B50))
    directory.append(number: UInt16(20))
    directory.append(fields)
    directory.append(Data(repeating: 0, count: 12))
    directory.append(number: UInt32(start))
    directory.append(title)
    count += 1
  }

  /// The archive.
  package func finished() -> Data {
    var result = bytes
    result.append(directory)
    result.append(number: UInt32(0x0605_4B50))
    result.append(Data(repeating: 0, count: 4))
    result.append(number: UInt16(count))
    result.append(number: UInt16(count))
    result.append(number: UInt32(directory.count))
    result.append(number: UInt32(bytes.count))
    result.append(number: UInt16(0))
    return result
  }
}

extension Data {
  /// Appends a number, the low byte first.
  mutating func append(number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
  }
}
