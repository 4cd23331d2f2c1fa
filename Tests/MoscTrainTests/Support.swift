import Foundation
import MoscFormats
import MoscImages
import MoscRandom
import MoscTrain
import TestSupport

extension Scratch {
  /// Writes a picture of one colour.
  @discardableResult func picture(
    _ name: String, width: Int = 24, height: Int = 16, channels: Int = 3, value: UInt8 = 90
  ) throws -> URL {
    let pixels = [UInt8](repeating: value, count: width * height * channels)
    let image = PixelImage(width: width, height: height, channels: channels, pixels: pixels)
    return try write(name, try PNG.encode(image))
  }
}

extension JSONValue {
  /// A golden JSON file.
  static func golden(_ name: String) throws -> JSONValue {
    try parse(try Data(contentsOf: Goldens.url(name)), path: name)
  }
}

extension PixelImage {
  /// `(RandomState(seed).rand(h, w, c) * 255).astype(uint8)`.
  static func noise(width: Int, height: Int, channels: Int, seed: UInt32) -> PixelImage {
    var engine = MersenneTwister(seed: seed)
    let pixels = (0..<width * height * channels).map { _ -> UInt8 in
      let high = UInt64(engine.next() >> 5)
      let number = Double(high << 26 | UInt64(engine.next() >> 6)) * 0x1p-53
      return UInt8(number * 255)
    }
    return PixelImage(width: width, height: height, channels: channels, pixels: pixels)
  }
}

/// The problems of what throws a `DatasetError`.
func problems(_ body: () throws(DatasetError) -> TrainingSetup) -> [String] {
  do {
    _ = try body()
    return []
  } catch {
    return error.problems.map(\.description)
  }
}
