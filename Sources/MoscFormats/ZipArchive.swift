import CZlib
import Foundation

/// A memory-mapped zip archive whose entries are all stored uncompressed, read by its directory.
///
/// Every offset of the directory is checked once, at opening: entries lie inside the file, do not
/// overlap and have different names. Source: PKWARE APPNOTE 6.3, sections 4.3 and 4.5.3 (zip64).
package final class ZipArchive: Sendable {
  /// One file of the archive.
  package struct Entry: Hashable, Sendable {
    package let name: String
    /// The bytes in the archive.
    package let range: Range<Int>
    package let crc: UInt32
  }

  package let url: URL
  /// The entries in the order of the directory.
  package let entries: [Entry]
  private let index: [String: Int]
  private let file: MappedFile

  /// The most entries that are believed.
  private static let maximumEntries = 1_000_000

  package convenience init(_ url: URL) throws(FormatError) { try self.init(MappedFile(url)) }

  package init(_ file: MappedFile) throws(FormatError) {
    self.file = file
    url = file.url
    let reader = ZipDirectory(bytes: file.bytes, path: file.url.path)
    let span = try reader.span()
    guard span.count <= Self.maximumEntries, span.count <= span.range.count / 46 else {
      throw reader.fault(
        "directory", "\(span.count) entries do not fit its \(span.range.count) bytes")
    }
    var entries: [Entry] = []
    var index: [String: Int] = [:]
    var position = span.range.lowerBound
    for _ in 0..<span.count {
      let entry = try reader.entry(&position, directory: span.range)
      guard index.updateValue(entries.count, forKey: entry.name) == nil else {
        throw reader.fault("entry \"\(entry.name)\"", "the archive has two entries of this name")
      }
      entries.append(entry)
    }
    guard position == span.range.upperBound else {
      throw reader.fault(
        "directory", "\(span.range.upperBound - position) bytes after its last entry")
    }
    var end = 0
    for entry in entries.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      guard entry.range.lowerBound >= end else {
        throw reader.fault("entry \"\(entry.name)\"", "overlaps the entry before it")
      }
      end = entry.range.upperBound
    }
    self.entries = entries
    self.index = index
  }

  /// Whether the file begins like a zip archive.
  package static func isZip(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: [0x50, 0x4b, 0x03, 0x04])
  }

  /// The entry of that name, or nil.
  package subscript(name: String) -> Entry? { index[name].map { entries[$0] } }

  /// The content of an entry, valid while the archive lives.
  package func bytes(of entry: Entry) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: file.bytes[entry.range])
  }

  /// The content of an entry after a comparison with its check sum, valid while the archive lives.
  package func checkedBytes(of entry: Entry) throws(FormatError) -> UnsafeRawBufferPointer {
    let content = bytes(of: entry)
    let found = CRC32.checksum(content)
    guard found == entry.crc else {
      throw FormatError(
        url.path, "entry \"\(entry.name)\"",
        "damaged: its check sum is \(String(found, radix: 16)), expected "
          + String(entry.crc, radix: 16))
    }
    return content
  }
}

/// Reads the records of a zip file.
private struct ZipDirectory {
  let bytes: UnsafeRawBufferPointer
  let path: String

  func fault(_ place: String?, _ message: String) -> FormatError {
    FormatError(path, place, message)
  }

  /// A little-endian number; the caller has checked that it is inside the file.
  private func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, _ at: Int) -> T {
    T(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: type))
  }

  /// Where the directory is and how many entries it has.
  func span() throws(FormatError) -> (range: Range<Int>, count: Int) {
    guard bytes.count >= 22 else { throw fault(nil, "too short for a zip archive") }
    var at = bytes.count - 22
    let first = max(0, at - 0xffff)
    while load(UInt32.self, at) != 0x0605_4b50
      || Int(load(UInt16.self, at + 20)) != bytes.count - at - 22
    {
      guard at > first else {
        throw fault(nil, "has no zip directory at its end; the file may be truncated")
      }
      at -= 1
    }
    var count = UInt64(load(UInt16.self, at + 10))
    var size = UInt64(load(UInt32.self, at + 12))
    var offset = UInt64(load(UInt32.self, at + 16))
    var disks = [UInt32(load(UInt16.self, at + 4)), UInt32(load(UInt16.self, at + 6))]
    var end = at
    if at >= 20, load(UInt32.self, at - 20) == 0x0706_4b50 {
      guard let record = Int(exactly: load(UInt64.self, at - 12)), record <= at - 20 - 56,
        load(UInt32.self, record) == 0x0606_4b50
      else { throw fault("directory", "the zip64 record is not where its locator says") }
      disks = [load(UInt32.self, record + 16), load(UInt32.self, record + 20)]
      count = load(UInt64.self, record + 32)
      size = load(UInt64.self, record + 40)
      offset = load(UInt64.self, record + 48)
      end = record
    }
    guard disks == [0, 0] else { throw fault("directory", "archives in parts are not supported") }
    let (upper, overflow) = offset.addingReportingOverflow(size)
    guard !overflow, upper <= UInt64(end), let total = Int(exactly: count) else {
      throw fault("directory", "lies outside the file: \(size) bytes at \(offset)")
    }
    return (Int(offset)..<Int(upper), total)
  }

  /// Reads the directory record at a position and moves the position behind it.
  func entry(
    _ position: inout Int, directory: Range<Int>
  ) throws(FormatError) -> ZipArchive.Entry {
    let at = position
    guard directory.upperBound - at >= 46, load(UInt32.self, at) == 0x0201_4b50 else {
      throw fault("directory", "expected a record at byte \(at)")
    }
    let nameLength = Int(load(UInt16.self, at + 28))
    let extraLength = Int(load(UInt16.self, at + 30))
    let next = at + 46 + nameLength + extraLength + Int(load(UInt16.self, at + 32))
    guard next <= directory.upperBound else {
      throw fault("directory", "the record at byte \(at) is longer than the directory")
    }
    let rawName = UnsafeRawBufferPointer(rebasing: bytes[(at + 46)..<(at + 46 + nameLength)])
    guard let name = String(validating: rawName, as: UTF8.self) else {
      throw fault("directory", "the name in the record at byte \(at) is not UTF-8")
    }
    let place = "entry \"\(name)\""
    guard load(UInt16.self, at + 8) & 1 == 0 else { throw fault(place, "is encrypted") }
    let method = load(UInt16.self, at + 10)
    guard method == 0 else {
      throw fault(
        place, "is \(method == 8 ? "deflated" : "compressed by method \(method)"), expected a "
          + "stored entry as torch writes them; repack the archive without compression")
    }
    var packed = UInt64(load(UInt32.self, at + 20))
    var size = UInt64(load(UInt32.self, at + 24))
    var header = UInt64(load(UInt32.self, at + 42))
    let extra = (at + 46 + nameLength)..<(at + 46 + nameLength + extraLength)
    var long = try zip64Fields(extra, place)
    func widen(_ value: inout UInt64) throws(FormatError) {
      guard value == 0xffff_ffff, let fields = long else { return }
      guard let wide = fields.first else { throw fault(place, "its zip64 field is too short") }
      value = wide
      long = Array(fields.dropFirst())
    }
    try widen(&size)
    try widen(&packed)
    try widen(&header)
    guard packed == size else {
      throw fault(place, "stored, but \(packed) bytes in the file and \(size) outside")
    }
    let range = try content(
      header: header, size: size, name: rawName, limit: directory.lowerBound, place)
    position = next
    return ZipArchive.Entry(name: name, range: range, crc: load(UInt32.self, at + 16))
  }

  /// The numbers of the zip64 extra field, or nil without one.
  private func zip64Fields(
    _ extra: Range<Int>, _ place: String
  ) throws(FormatError) -> [UInt64]? {
    var at = extra.lowerBound
    while extra.upperBound - at >= 4 {
      let size = Int(load(UInt16.self, at + 2))
      guard size <= extra.upperBound - at - 4 else {
        throw fault(place, "an extra field is longer than its record")
      }
      if load(UInt16.self, at) == 1 {
        return (0..<size / 8).map { load(UInt64.self, at + 4 + 8 * $0) }
      }
      at += 4 + size
    }
    return nil
  }

  /// Where the content behind the local header is; the header must repeat the name.
  private func content(
    header: UInt64, size: UInt64, name: UnsafeRawBufferPointer, limit: Int, _ place: String
  ) throws(FormatError) -> Range<Int> {
    guard limit >= 30, header <= UInt64(limit - 30) else {
      throw fault(place, "its header lies outside the file, at byte \(header)")
    }
    let at = Int(header)
    guard load(UInt32.self, at) == 0x0403_4b50, Int(load(UInt16.self, at + 26)) == name.count,
      limit - at - 30 >= name.count,
      bytes[(at + 30)..<(at + 30 + name.count)].elementsEqual(name)
    else { throw fault(place, "there is no header of this entry at byte \(at)") }
    let start = at + 30 + name.count + Int(load(UInt16.self, at + 28))
    guard start <= limit, size <= UInt64(limit - start) else {
      throw fault(place, "its \(size) bytes lie outside the file")
    }
    return start..<(start + Int(size))
  }
}

/// The cyclic redundancy check of zip and PNG files.
package enum CRC32 {
  /// The check sum of the bytes.
  package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    return UInt32(truncatingIfNeeded: crc32_z(crc32_z(0, nil, 0), start, start == nil ? 0 : bytes.count))
  }

  /// The check sum of the bytes.
  package static func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { checksum($0) } }
}
