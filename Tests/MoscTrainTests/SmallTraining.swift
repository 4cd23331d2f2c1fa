import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscNetworks
import MoscTrain
import TestSupport

/// Requests for training runs of seconds, whose files lie in a folder.
struct SmallTraining {
  private let scratch: Scratch
  private static let side = 32

  init(_ scratch: Scratch) { self.scratch = scratch }

  /// A run in f32, without the user's cache.
  func request(_ output: String) -> TrainRequest {
    var request = TrainRequest(output: scratch.path(output))
    request.model.precision = .f32
    request.compiler.cacheFolder = SharedKernels.folder
    return request
  }

  /// The embedded model learns from three tiny pictures with captions and masks.
  func embedded(_ output: String, steps: Int = 4) throws -> TrainRequest {
    var request = request(output)
    request.data = try data().path
    request.concept = "<dog1> <dog2>"
    request.start = "dog"
    request.resolution = Self.side
    request.steps = steps
    request.variants = 2
    return request
  }

  /// The pictures, written once.
  private func data() throws -> URL {
    let folder = scratch.url.appending(path: "data")
    if FileManager.default.fileExists(atPath: folder.path) { return folder }
    for part in ["images", "captions", "masks"] {
      try FileManager.default.createDirectory(
        at: folder.appending(path: part), withIntermediateDirectories: true)
    }
    for index in 0..<3 {
      try Self.picture(index).write(to: folder.appending(path: "images/\(index).png"))
      try Self.mask.write(to: folder.appending(path: "masks/\(index).png"))
      try Data("a <TOK>, on grass".utf8)
        .write(to: folder.appending(path: "captions/\(index).txt"))
    }
    return folder
  }

  static func picture(_ index: Int, comment: String = "") throws -> Data {
    let pixels = (0..<side * side * 3).map { UInt8(truncatingIfNeeded: $0 * (7 + index) / 3) }
    return try PNG.encode(
      PixelImage(width: side, height: side, pixels: pixels),
      texts: comment.isEmpty ? [] : [("Comment", comment)])
  }

  private static var mask: Data {
    get throws {
      let pixels = (0..<side * side).map { index -> UInt8 in
        (8..<24).contains(index % side) && (8..<24).contains(index / side) ? 255 : 0
      }
      return try PNG.encode(PixelImage(width: side, height: side, channels: 1, pixels: pixels))
    }
  }
}
