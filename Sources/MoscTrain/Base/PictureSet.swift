import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscReport

/// The captioned pictures of a pretraining run.
struct PictureSet {
  let images: [TrainingImage]
  /// In pixels.
  let sizes: [(height: Int, width: Int)]
  /// The hash of names and contents of all pictures.
  let hash: String

  /// Lists a folder and reads every picture once.
  ///
  /// - Parameter factor: what sizes must be multiples of.
  /// - Throws: `DatasetError` with all problems.
  init(_ folder: URL, factor: Int) throws {
    var problems: [FormatError] = []
    let images = ImageFolder(images: folder, fallback: "").list(&problems)
    var sizes: [(height: Int, width: Int)] = []
    var hashes = ""
    for image in images {
      try Interruption.check()
      do throws(FormatError) {
        let data = try readFile(image.image)
        hashes += "\(image.image.lastPathComponent) \(FileHash.sha256(data))\n"
        let picture = try ImageFile.decode(data, path: image.image.path)
        sizes.append((picture.height, picture.width))
        if picture.height % factor != 0 || picture.width % factor != 0 {
          problems.append(
            FormatError(
              image.image.path, nil,
              "is \(picture.width)×\(picture.height), expected multiples of \(factor)"))
        }
      } catch {
        problems.append(error)
      }
    }
    guard problems.isEmpty else { throw DatasetError(problems) }
    self.images = images
    self.sizes = sizes
    hash = FileHash.sha256(Data(hashes.utf8))
  }

  /// Pictures as `[b,H,W,3]` in −1…1; all must have one size.
  func images(_ indices: [Int]) throws -> HostArray {
    var floats: [Float] = []
    for index in indices { floats += try pixels(index).map { Float($0) / 127.5 - 1 } }
    let size = sizes[indices[0]]
    return HostArray(floats, shape: [indices.count, size.height, size.width, 3])
  }

  /// The bytes of a picture, `r g b r g b …`.
  func pixels(_ index: Int) throws -> [UInt8] { try ImageFile.read(images[index].image).rgb.pixels }

  /// Splits off every n-th picture: those to train on and those to measure with.
  func split(holdingOut count: Int) -> (training: [Int], validation: [Int]) {
    let total = images.count
    let held = Set((0..<min(count, total / 2)).map { $0 * total / max(1, min(count, total / 2)) })
    return ((0..<total).filter { !held.contains($0) }, held.sorted())
  }
}
