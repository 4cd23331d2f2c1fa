import Foundation
import MoscFormats
import MoscImages
import MoscReport

/// What a process is told of pictures that it is to draw.
struct PictureOrder: Codable {
  /// The number of the plan.
  var plan: Int
  /// The batches of the plan.
  var first, count: Int
  /// What the plan is for, the first time that a process hears of it.
  var news: News?

  struct News: Codable {
    var request: SampleRequest
    /// What the pictures depend on in the first process.
    var facts: String
    /// The command line of the first process.
    var arguments: [String]
  }

  var bytes: [UInt8] {
    get throws { Array(try JSONEncoder().encode(self)) }
  }

  init(plan: Int, first: Int, count: Int, news: News?) {
    (self.plan, self.first, self.count, self.news) = (plan, first, count, news)
  }

  /// Reads a message.
  init(_ bytes: [UInt8]) throws {
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(bytes))
    } catch {
      throw CommandError.failure("rank 0 sent an order for pictures that cannot be read: \(error)")
    }
  }
}

extension PixelImage {
  /// Width, height and channels as 32 bits each, then the pixels: what a process sends of a picture.
  var message: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(12 + pixels.count)
    for number in [width, height, channels] { withUnsafeBytes(of: UInt32(number).littleEndian) { bytes += $0 } }
    return bytes + pixels
  }

  /// - Throws: `CommandError.failure` for bytes that are no picture.
  init(message bytes: [UInt8]) throws {
    func number(_ index: Int) -> Int {
      bytes.count < 12 ? 0 : bytes.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)) }
    }
    let (width, height, channels) = (number(0), number(1), number(2))
    guard width > 0, height > 0, channels > 0, bytes.count - 12 == width * height * channels else {
      throw CommandError.failure("a picture of \(bytes.count) bytes came, expected \(width)x\(height) pixels")
    }
    self.init(width: width, height: height, channels: channels, pixels: Array(bytes[12...]))
  }
}
