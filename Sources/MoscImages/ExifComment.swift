/// The user's comment in the EXIF segment of a JPEG file, where the A1111 web UI keeps its parameters.
enum ExifComment {
  /// The keyword that the text has in PNG files.
  static let keyword = "parameters"

  private static let start = Array("Exif\0\0".utf8)
  private static let unicode = Array("UNICODE\0".utf8)
  private static let ascii = Array("ASCII\0\0\0".utf8)
  /// The tag of the place of the EXIF directory, and in there that of the comment.
  private static let (directoryTag, commentTag) = (0x8769, 0x9286)
  private static let (longType, undefinedType) = (4, 7)
  private static let entryBytes = 12

  /// The content of a segment with a comment in UTF-16.
  static func segment(_ text: String) -> [UInt8] {
    let comment = unicode + text.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
    // Header, one directory with the place of the next, the next with the comment, the comment.
    let (first, second) = (8, 8 + 2 + entryBytes + 4)
    let place = second + 2 + entryBytes + 4
    return start + Array("MM".utf8) + short(42) + long(first)
      + short(1) + short(directoryTag) + short(longType) + long(1) + long(second) + long(0)
      + short(1) + short(commentTag) + short(undefinedType) + long(comment.count) + long(place)
      + long(0) + comment
  }

  private static func short(_ number: Int) -> [UInt8] { [UInt8(number >> 8 & 0xff), UInt8(number & 0xff)] }
  private static func long(_ number: Int) -> [UInt8] { short(number >> 16) + short(number & 0xffff) }

  /// The comment of a segment; nil for one without, or one that is damaged.
  static func text(_ segment: [UInt8]) -> String? {
    guard segment.starts(with: start) else { return nil }
    let reader = Reader(bytes: Array(segment[start.count...]))
    guard let first = reader.number(at: 4, bytes: 4), let directory = reader.entry(directoryTag, at: first),
      let place = reader.number(at: directory + 8, bytes: 4), let entry = reader.entry(commentTag, at: place),
      let count = reader.number(at: entry + 4, bytes: 4), let offset = reader.number(at: entry + 8, bytes: 4),
      count >= unicode.count, offset <= reader.bytes.count, count <= reader.bytes.count - offset
    else { return nil }
    let content = reader.bytes[offset + unicode.count..<offset + count]
    switch Array(reader.bytes[offset..<offset + unicode.count]) {
    case unicode: return utf16(Array(content), isLittle: reader.isLittle)
    case ascii: return String(decoding: content, as: UTF8.self)
    default: return nil
    }
  }

  private static func utf16(_ bytes: [UInt8], isLittle: Bool) -> String {
    let pairs = stride(from: 0, to: bytes.count - 1, by: 2).map { (UInt16(bytes[$0]), UInt16(bytes[$0 + 1])) }
    func decoded(_ isLittle: Bool) -> String {
      String(decoding: pairs.map { isLittle ? $1 << 8 | $0 : $0 << 8 | $1 }, as: UTF16.self)
    }
    // Some writers use the order of UTF-16BE whatever the header says; mostly Latin text tells which.
    let highFirst = pairs.count { $0.0 == 0 && $0.1 != 0 }
    let lowFirst = pairs.count { $0.1 == 0 && $0.0 != 0 }
    return decoded(highFirst == lowFirst ? isLittle : lowFirst > highFirst)
  }

  /// Numbers of a TIFF structure.
  private struct Reader {
    let bytes: [UInt8]

    var isLittle: Bool { bytes.first == UInt8(ascii: "I") }

    func number(at place: Int, bytes count: Int) -> Int? {
      guard place >= 0, place <= bytes.count - count else { return nil }
      let range = bytes[place..<place + count]
      return (isLittle ? Array(range.reversed()) : Array(range)).reduce(0) { $0 << 8 | Int($1) }
    }

    /// The place of a tag's entry in the directory at a place.
    func entry(_ tag: Int, at directory: Int) -> Int? {
      guard let count = number(at: directory, bytes: 2) else { return nil }
      return (0..<count).lazy.map { directory + 2 + $0 * entryBytes }.first { number(at: $0, bytes: 2) == tag }
    }
  }
}
