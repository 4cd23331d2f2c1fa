import Foundation

/// A memory-mapped safetensors file with a validated table of tensors.
///
/// Layout: 8 bytes little-endian header length, a JSON object `name → {dtype, shape, data_offsets}`
/// with an optional `__metadata__`, then the data, which the tensors must cover without gaps.
/// Source: the safetensors format description (huggingface/safetensors, README).
package final class SafetensorsFile: Sendable {
  /// One tensor of the file.
  package struct Entry: Hashable, Sendable {
    package let name: String
    package let dtype: ElementType
    package let shape: [Int]
    /// The bytes in the file.
    package let range: Range<Int>
  }

  package let url: URL
  /// Where the header ends and the tensors begin, in bytes.
  package let dataOffset: Int
  /// The string map under `__metadata__`.
  package let metadata: [String: String]
  /// The tensors in the order of their data.
  package let entries: [Entry]
  private let index: [String: Int]
  private let file: MappedFile
  /// What tells the file from any other, and from itself written anew.
  package var identity: String? { file.identity }
  /// Whether nobody wrote to the file since it was opened.
  package var isUnchanged: Bool { file.isUnchanged }

  /// The longest header that is believed.
  private static let maximumHeader = 100_000_000

  package init(_ url: URL) throws(FormatError) {
    self.url = url
    file = try MappedFile(url)
    let path = url.path
    let size = file.bytes.count
    guard size >= 8 else {
      let kind = FileKind.describe(file.bytes).map { ", it is \($0)" } ?? ""
      throw FormatError(path, nil, "too short for a safetensors file: \(size) bytes\(kind)")
    }
    let length = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(Self.maximumHeader) else {
      if let kind = FileKind.describe(file.bytes) {
        throw FormatError(path, nil, "is \(kind); expected a safetensors file")
      }
      throw FormatError(
        path, "header", "the header length \(length) is absurd; is this a safetensors file?")
    }
    let start = 8 + Int(length)
    guard start <= size else {
      throw FormatError(
        path, "header", "the header takes \(length) bytes, but the file ends after \(size)")
    }
    dataOffset = start
    let header = try JSONValue.parse(file.bytes[8..<start], path: path)
    guard let members = header.members else {
      throw FormatError(path, "header", "expected a JSON object, found \(header.kindName)")
    }
    var entries: [Entry] = []
    var metadata: [String: String] = [:]
    for member in members {
      if member.key == "__metadata__" {
        metadata = try Self.metadata(member.value, path)
      } else {
        entries.append(try Self.entry(member, path, data: start..<size))
      }
    }
    entries.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    var position = start
    for entry in entries {
      guard entry.range.lowerBound == position else {
        let fault =
          entry.range.lowerBound < position ? "overlaps the tensor before it" : "leaves a gap"
        throw FormatError(
          path, "tensor \"\(entry.name)\"",
          "its data \(fault): it starts at byte \(entry.range.lowerBound - start), expected "
            + "\(position - start)")
      }
      position = entry.range.upperBound
    }
    guard position == size else {
      throw FormatError(
        path, nil, "\(size - position) bytes after the last tensor belong to nothing")
    }
    self.entries = entries
    self.metadata = metadata
    index = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
  }

  private static func metadata(
    _ value: JSONValue, _ path: String
  ) throws(FormatError) -> [String: String] {
    var result: [String: String] = [:]
    guard let members = value.members else {
      throw FormatError(path, "__metadata__", "expected an object, found \(value.kindName)")
    }
    for member in members {
      guard let text = member.value.string else {
        throw FormatError(
          path, "__metadata__.\(member.key)", "expected a string, found \(member.value.kindName)")
      }
      result[member.key] = text
    }
    return result
  }

  private static func entry(
    _ member: JSONValue.Member, _ path: String, data: Range<Int>
  ) throws(FormatError) -> Entry {
    let place = "tensor \"\(member.key)\""
    func fail(_ message: String) -> FormatError { FormatError(path, place, message) }
    guard let name = member.value["dtype"]?.string else { throw fail("expected a 'dtype' string") }
    guard let dtype = ElementType(rawValue: name) else {
      let known = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
      throw fail("unknown dtype \"\(name)\", expected one of \(known)")
    }
    guard let extents = member.value["shape"]?.array,
      let offsets = member.value["data_offsets"]?.array
    else { throw fail("expected 'shape' and 'data_offsets' arrays") }
    let shape = extents.compactMap(\.int)
    guard shape.count == extents.count, shape.allSatisfy({ $0 >= 0 }) else {
      throw fail("the shape holds something that is not a count")
    }
    guard offsets.count == 2, let begin = offsets[0].int, let end = offsets[1].int,
      0 <= begin, begin <= end, end <= data.count
    else {
      throw fail(
        "data_offsets \(offsets.map { $0.int.map(String.init) ?? $0.kindName }) lie outside the "
          + "\(data.count) bytes of data; the file may be truncated")
    }
    var byteCount = dtype.byteSize
    for extent in shape {
      let (product, overflow) = byteCount.multipliedReportingOverflow(by: extent)
      guard !overflow else { throw fail("the shape \(shape) is too large") }
      byteCount = product
    }
    guard byteCount == end - begin else {
      throw fail(
        "shape \(shape) of \(name) takes \(byteCount) bytes, data_offsets give \(end - begin)")
    }
    return Entry(
      name: member.key, dtype: dtype, shape: shape,
      range: data.lowerBound + begin..<data.lowerBound + end)
  }

  /// The entry of that name, or nil.
  package subscript(name: String) -> Entry? { index[name].map { entries[$0] } }

  /// The raw bytes of a tensor, valid while the file object lives.
  package func bytes(of entry: Entry) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: file.bytes[entry.range])
  }

  /// A copy of a tensor.
  package func array(_ name: String) throws(FormatError) -> HostArray {
    guard let entry = self[name] else {
      let nearest = NearestName.suggest(name, in: entries.map(\.name))
      throw FormatError(
        url.path, "tensor \"\(name)\"",
        "not in the file" + (nearest.map { "; the nearest name is \"\($0)\"" } ?? ""))
    }
    return HostArray(dtype: entry.dtype, shape: entry.shape, bytes: Array(bytes(of: entry)))
  }

  /// Lets go of the memory of a tensor that will not be read again soon.
  package func dropPages(of entry: Entry) { file.dropPages(entry.range) }
}
