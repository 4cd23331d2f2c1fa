import Foundation

/// How a camera was held, as EXIF tells it: the raw value of its tag 274.
///
/// Cases are named by what makes the picture upright. Source: EXIF 2.32, section 4.6.4; as Pillow's
/// `exif_transpose`.
enum Orientation: Int, Hashable, Sendable {
  case upright = 1
  case mirrorColumns
  case halfTurn
  case mirrorRows
  case transpose
  case quarterTurnRight
  case transverse
  case quarterTurnLeft

  /// Reads the tag of a JPEG, WebP or PNG file; upright where there is none, or none that can be read.
  init(_ data: Data) {
    let bytes = [UInt8](data)
    let found =
      bytes.starts(with: [0xff, 0xd8]) ? Self.jpeg(bytes)
      : WebP.begins(data) ? WebP.exif(bytes).map { $0[...] } : Self.png(bytes)
    self = found.flatMap(Self.tiff).flatMap(Orientation.init(rawValue:)) ?? .upright
  }

  /// The EXIF data of a JPEG file: the first APP1 segment of that name, before the picture itself.
  private static func jpeg(_ bytes: [UInt8]) -> ArraySlice<UInt8>? {
    var place = 2
    while place + 4 <= bytes.count, bytes[place] == 0xff {
      let (marker, length) = (bytes[place + 1], Int(bytes[place + 2]) << 8 | Int(bytes[place + 3]))
      let end = place + 2 + length
      guard marker != 0xda, length >= 2, end <= bytes.count else { return nil }
      let body = bytes[place + 4..<end]
      if marker == 0xe1, body.starts(with: Array("Exif\0\0".utf8)) { return body.dropFirst(6) }
      place = end
    }
    return nil
  }

  /// The EXIF data of a PNG file.
  private static func png(_ bytes: [UInt8]) -> ArraySlice<UInt8>? {
    var place = 8
    while place + 12 <= bytes.count {
      let length = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length <= bytes.count - place - 12 else { return nil }
      if bytes[place + 4..<place + 8].elementsEqual("eXIf".utf8) {
        return bytes[place + 8..<place + 8 + length]
      }
      place += length + 12
    }
    return nil
  }

  /// The value of tag 274 in the first directory of TIFF data.
  private static func tiff(_ data: ArraySlice<UInt8>) -> Int? {
    let bytes = Array(data)
    let isBig = bytes.starts(with: Array("MM".utf8))
    guard isBig || bytes.starts(with: Array("II".utf8)) else { return nil }
    func number(_ place: Int, _ size: Int) -> Int? {
      guard place >= 0, place <= bytes.count - size else { return nil }
      let own = bytes[place..<place + size]
      return isBig
        ? own.reduce(0) { $0 << 8 | Int($1) } : own.reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    guard number(2, 2) == 42, let start = number(4, 4), let count = number(start, 2) else { return nil }
    for entry in 0..<count {
      let place = start + 2 + entry * 12
      guard let tag = number(place, 2) else { return nil }
      if tag == 274 { return number(place + 2, 2) == 3 ? number(place + 8, 2) : nil }
    }
    return nil
  }
}

extension PixelImage {
  /// The picture as it was seen.
  func upright(_ orientation: Orientation) -> PixelImage {
    let (w, h) = (width, height)
    let source: (_ x: Int, _ y: Int) -> (x: Int, y: Int)
    switch orientation {
    case .upright: return self
    case .mirrorColumns: source = { (w - 1 - $0, $1) }
    case .halfTurn: source = { (w - 1 - $0, h - 1 - $1) }
    case .mirrorRows: source = { ($0, h - 1 - $1) }
    case .transpose: source = { ($1, $0) }
    case .quarterTurnRight: source = { ($1, h - 1 - $0) }
    case .transverse: source = { (w - 1 - $1, h - 1 - $0) }
    case .quarterTurnLeft: source = { (w - 1 - $1, $0) }
    }
    let turns = orientation.rawValue >= Orientation.transpose.rawValue
    var result = PixelImage(
      width: turns ? h : w, height: turns ? w : h, channels: channels, pixels: [])
    result.pixels.reserveCapacity(pixels.count)
    for y in 0..<result.height {
      for x in 0..<result.width {
        let from = source(x, y)
        let place = (from.y * w + from.x) * channels
        result.pixels += pixels[place..<place + channels]
      }
    }
    return result
  }
}
