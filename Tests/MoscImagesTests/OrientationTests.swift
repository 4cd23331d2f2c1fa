import Foundation
import MoscFormats
import MoscImages
import TestSupport
import Testing

/// Pictures that a camera took lying on its side, and masks.
@Suite struct OrientationTests {
  /// TIFF data with an unimportant tag before that of the orientation.
  private static func exif(_ orientation: UInt8, isBig: Bool) -> [UInt8] {
    func short(_ value: UInt8) -> [UInt8] { isBig ? [0, value] : [value, 0] }
    func long(_ value: UInt8) -> [UInt8] { isBig ? [0, 0, 0, value] : [value, 0, 0, 0] }
    let tag: [UInt8] = isBig ? [0x01, 0x12] : [0x12, 0x01]
    return Array((isBig ? "MM" : "II").utf8) + short(42) + long(8) + short(2)
      + short(1) + short(3) + long(1) + short(7) + short(0)
      + tag + short(3) + long(1) + short(orientation) + short(0) + long(0)
  }

  /// A JPEG file with an APP1 segment behind its first marker.
  private static func jpeg(_ data: Data, _ exif: [UInt8]) -> Data {
    let body = Array("Exif\0\0".utf8) + exif
    let length = body.count + 2
    let segment = [0xff, 0xe1, UInt8(length >> 8), UInt8(length & 255)] + body
    return inserted(segment, in: data, at: 2)
  }

  /// A PNG file with an `eXIf` chunk behind its header.
  private static func png(_ data: Data, _ exif: [UInt8]) -> Data {
    let body = Array("eXIf".utf8) + exif
    var sum: UInt32 = 0xffff_ffff
    for byte in body {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xedb8_8320 : sum >> 1 }
    }
    func long(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> (24 - 8 * $0) & 255) } }
    return inserted(long(UInt32(exif.count)) + body + long(~sum), in: data, at: 33)
  }

  private static func inserted(_ bytes: [UInt8], in data: Data, at place: Int) -> Data {
    var result = [UInt8](data)
    result.insert(contentsOf: bytes, at: place)
    return Data(result)
  }

  /// Where the pixels of the first row go, told by the corners: top left, top right, bottom left.
  private static func corners(_ image: PixelImage) -> [[UInt8]] {
    let (w, h) = (image.width, image.height)
    return [0, w - 1, (h - 1) * w].map { place in
      Array(image.pixels[place * image.channels..<(place + 1) * image.channels])
    }
  }

  /// The corner of the stored picture that is seen top left, top right, bottom left.
  ///
  /// The EXIF standard says which row and column of the scene the first ones are.
  private static let seen: [[String]] = [
    ["tl", "tr", "bl"], ["tr", "tl", "br"], ["br", "bl", "tr"], ["bl", "br", "tl"], ["tl", "bl", "tr"],
    ["bl", "tl", "br"], ["br", "tr", "bl"], ["tr", "br", "tl"],
  ]

  @Test(arguments: 1...8, [true, false]) func upright(_ orientation: Int, _ isBig: Bool) throws {
    let image = PixelImage(
      width: 3, height: 2,
      pixels: [10, 0, 0, 0, 0, 0, 20, 0, 0, 30, 0, 0, 0, 0, 0, 40, 0, 0])
    let names = ["tl": UInt8(10), "tr": 20, "bl": 30, "br": 40]
    let exif = Self.exif(UInt8(orientation), isBig: isBig)
    let read = try ImageFile.decode(Self.png(try PNG.encode(image), exif), path: "a.png")
    #expect(read.width == (orientation > 4 ? 2 : 3) && read.pixels.count == image.pixels.count)
    #expect(Self.corners(read).map { $0[0] } == Self.seen[orientation - 1].map { names[$0] })

    let stored = try readFile(Goldens.url("pillow/s444.jpg"))
    let plain = try ImageFile.decode(stored, path: "a.jpg")
    let turned = try ImageFile.decode(Self.jpeg(stored, exif), path: "a.jpg")
    #expect((turned == plain) == (orientation == 1))
    let own = Dictionary(
      uniqueKeysWithValues: zip(["tl", "tr", "bl"], Self.corners(plain)))
    for (corner, pixel) in zip(Self.seen[orientation - 1], Self.corners(turned)) where corner != "br" {
      #expect(pixel == own[corner])
    }
  }

  /// Damaged and foreign data leave the picture as it is stored.
  @Test func readsOnlyWhatIsThere() throws {
    let stored = try readFile(Goldens.url("pillow/s444.jpg"))
    let plain = try ImageFile.decode(stored, path: "a.jpg")
    let sound = Self.exif(6, isBig: true)
    for length in 0..<sound.count - 8 {
      let cut = Array(sound.prefix(length))
      let turned = try ImageFile.decode(Self.jpeg(stored, cut), path: "a.jpg")
      #expect(turned == plain || length >= 32, "\(length) bytes")
    }
    for bad: [UInt8] in [Self.exif(0, isBig: true), Self.exif(9, isBig: false), Array("no TIFF".utf8)] {
      #expect(try ImageFile.decode(Self.jpeg(stored, bad), path: "a.jpg") == plain)
    }
    var far = sound
    far[4] = 0x7f
    #expect(try ImageFile.decode(Self.jpeg(stored, far), path: "a.jpg") == plain)
  }

  @Test func masksAreBrightnessTimesOpacity() throws {
    let image = PixelImage(
      width: 2, height: 2, channels: 4,
      pixels: [255, 255, 255, 0, 255, 255, 255, 255, 0, 0, 0, 255, 255, 255, 255, 128])
    #expect(try image.mask(path: "m").pixels == [0, 255, 0, 128])
    let grey = PixelImage(width: 2, height: 1, channels: 1, pixels: [0, 200])
    #expect(try grey.mask(path: "m") == grey)
    let black = PixelImage(width: 2, height: 1, channels: 1, pixels: [0, 0])
    #expect(try black.mask(path: "m") == black)
  }

  /// Pictures of label numbers, grey and as dark colours.
  @Test(arguments: [[0, 1, 1, 0], [0, 1, 2, 20], [38, 38, 0, 0], [127, 0, 0, 0]] as [[UInt8]])
  func refusesLabels(_ pixels: [UInt8]) throws {
    let image = PixelImage(width: 2, height: 2, channels: 1, pixels: pixels)
    let error = #expect(throws: FormatError.self) { try image.mask(path: "m.png") }
    #expect(error?.description.contains("m.png") == true)
    #expect(error?.description.contains("\(pixels.max() ?? 0) of 255") == true)
  }
}
