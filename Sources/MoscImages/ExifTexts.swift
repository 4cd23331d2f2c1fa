import MoscFormats

/// Texts in the EXIF data of JPEG and WebP files: the user's comment, where the A1111 web UI keeps its
/// parameters, and `keyword:text` under tags of the camera, where ComfyUI keeps what it has for WebP.
enum ExifTexts {
  /// The keyword that the comment has in PNG files.
  static let keyword = "parameters"
  /// What EXIF data begin with in JPEG files.
  static let start = Array("Exif\0\0".utf8)

  private static let unicode = Array("UNICODE\0".utf8)
  private static let ascii = Array("ASCII\0\0\0".utf8)
  /// The tag of the place of the EXIF directory, and in there that of the comment.
  private static let (directoryTag, commentTag) = (0x8769, 0x9286)
  /// Camera model, maker and description.
  private static let textTags = [0x0110, 0x010f, 0x010e]
  private static let (asciiType, longType, undefinedType) = (2, 4, 7)
  private static let entryBytes = 12

  // MARK: Writing

  /// The content of a segment of a JPEG file with a comment in UTF-16.
  static func segment(_ comment: String) -> [UInt8] { start + tiff(comment: comment, others: []) }

  /// EXIF data with texts, `parameters` as the comment.
  static func tiff(_ texts: [PNG.Text]) throws(FormatError) -> [UInt8] {
    let others = texts.filter { $0.keyword != keyword }
    guard others.count <= textTags.count, texts.count - others.count <= 1 else {
      throw FormatError("EXIF", nil, "\(texts.count) texts do not fit, expected at most \(textTags.count)")
    }
    return tiff(comment: texts.first { $0.keyword == keyword }?.text, others: others)
  }

  private static func tiff(comment: String?, others: [PNG.Text]) -> [UInt8] {
    var entries: [(tag: Int, type: Int, bytes: [UInt8])] = zip(textTags, others).map { tag, text in
      (tag, asciiType, Array("\(text.keyword):\(text.text)".utf8) + [0])
    }
    entries.sort { $0.tag < $1.tag }
    let count = entries.count + (comment == nil ? 0 : 1)
    // Header, a directory, the contents of its texts, then the directory with the comment, and the comment.
    var place = 8 + 2 + count * entryBytes + 4
    var directory = short(count)
    var contents: [UInt8] = []
    for entry in entries {
      directory += short(entry.tag) + short(entry.type) + long(entry.bytes.count)
      // Up to four bytes lie in the entry itself; no text with its keyword is so short.
      directory += long(place)
      contents += entry.bytes + (entry.bytes.count % 2 == 1 ? [0] : [])
      place = 8 + 2 + count * entryBytes + 4 + contents.count
    }
    var own: [UInt8] = []
    if let comment {
      directory += short(directoryTag) + short(longType) + long(1) + long(place)
      let bytes = unicode + comment.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
      own = short(1) + short(commentTag) + short(undefinedType) + long(bytes.count)
        + long(place + 2 + entryBytes + 4) + long(0) + bytes
    }
    return Array("MM".utf8) + short(42) + long(8) + directory + long(0) + contents + own
  }

  private static func short(_ number: Int) -> [UInt8] { [UInt8(number >> 8 & 0xff), UInt8(number & 0xff)] }
  private static func long(_ number: Int) -> [UInt8] { short(number >> 16 & 0xffff) + short(number & 0xffff) }

  // MARK: Reading

  /// The comment of a segment; nil for one without, or one that is damaged.
  static func comment(_ segment: [UInt8]) -> String? {
    guard segment.starts(with: start) else { return nil }
    return comment(Reader(bytes: Array(segment.dropFirst(start.count))))
  }

  /// The texts of EXIF data; what is damaged is left out.
  static func texts(_ tiff: [UInt8]) -> [PNG.Text] {
    let reader = Reader(bytes: tiff)
    var texts: [PNG.Text] = comment(reader).map { [(keyword, $0)] } ?? []
    guard let first = reader.number(at: 4, bytes: 4) else { return texts }
    for tag in textTags {
      guard let entry = reader.entry(tag, at: first), let content = reader.content(entry) else { continue }
      let text = String(decoding: content.prefix { $0 != 0 }, as: UTF8.self)
      let parts = text.split(separator: ":", maxSplits: 1)
      if parts.count == 2, !parts[0].contains(where: \.isWhitespace) {
        texts.append((String(parts[0]), String(parts[1])))
      }
    }
    return texts
  }

  private static func comment(_ reader: Reader) -> String? {
    guard let first = reader.number(at: 4, bytes: 4), let directory = reader.entry(directoryTag, at: first),
      let place = reader.number(at: directory + 8, bytes: 4), let entry = reader.entry(commentTag, at: place),
      let content = reader.content(entry), content.count >= unicode.count
    else { return nil }
    let text = Array(content.dropFirst(unicode.count))
    switch Array(content.prefix(unicode.count)) {
    case unicode: return utf16(text, isLittle: reader.isLittle)
    case ascii: return String(decoding: text, as: UTF8.self)
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

    /// The bytes of an entry that lie elsewhere.
    func content(_ entry: Int) -> ArraySlice<UInt8>? {
      guard let count = number(at: entry + 4, bytes: 4), let place = number(at: entry + 8, bytes: 4),
        count > 4, place <= bytes.count, count <= bytes.count - place
      else { return nil }
      return bytes[place..<place + count]
    }
  }
}
