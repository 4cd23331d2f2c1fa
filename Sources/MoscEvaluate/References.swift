import Foundation
import MoscFormats
import MoscImages

/// Pictures of what a concept is to look like, as the judge sees them.
struct References {
  /// In the order of their names.
  let features: [Feature]
  /// The same with all but the concept in the mean colour; nil without masks.
  let masked: [Feature]?
  let pictures: [PixelImage]

  /// Reads a folder of pictures, or one with the pictures in `images` and perhaps masks in `masks`.
  ///
  /// - Parameter masks: a folder of masks `STEM.png`, white where the concept is.
  /// - Throws: `FormatError` for a picture without mask, or one of another size.
  init(_ path: String, masks: String? = nil, _ judge: Judge) throws {
    let files = FileManager.default
    func inside(_ name: String) -> String? {
      let folder = "\(path)/\(name)"
      return files.fileExists(atPath: folder) ? folder : nil
    }
    let urls = try PictureFolder.files(inside("images") ?? path)
    pictures = try urls.map { try ImageFile.read($0).rgb }
    features = try judge.features(of: pictures)
    guard let folder = masks ?? inside("masks") else {
      masked = nil
      return
    }
    let colour = judge.meanColour
    masked = try judge.features(
      of: try zip(urls, pictures).map { url, picture in
        let stem = url.deletingPathExtension().lastPathComponent
        let place = URL(fileURLWithPath: folder).appending(path: "\(stem).png")
        let mask = try ImageFile.read(place).mask(path: place.path)
        guard (mask.width, mask.height) == (picture.width, picture.height) else {
          throw FormatError(
            place.path, nil,
            "is \(mask.width)×\(mask.height), expected \(picture.width)×\(picture.height) as its picture")
        }
        return picture.showing(mask, on: colour)
      })
  }

  /// The mean cosine of each with the others: as alike as pictures of the concept are; nil for a single one.
  var ceiling: Double? {
    guard features.count > 1 else { return nil }
    return features.indices.reduce(0) { $0 + features[$1].cosine(with: others($1)) } / Double(features.count)
  }

  /// The similarity that only one in a hundred references has to its nearest other; nil for a single one.
  var copyThreshold: Double? {
    guard features.count > 1 else { return nil }
    let nearest = features.indices.map { index in
      others(index).map { features[index].cosine($0) }.max() ?? 0
    }.sorted()
    // Interpolated between the two nearest ranks.
    let place = 0.99 * Double(nearest.count - 1)
    let low = Int(place)
    let high = min(low + 1, nearest.count - 1)
    return nearest[low] + (place - Double(low)) * (nearest[high] - nearest[low])
  }

  private func others(_ index: Int) -> [Feature] {
    features.indices.filter { $0 != index }.map { features[$0] }
  }
}

extension PixelImage {
  /// The RGB picture where a mask is white, a colour where it is black.
  fileprivate func showing(_ mask: PixelImage, on colour: [UInt8]) -> PixelImage {
    var result = self
    for place in pixels.indices {
      let share = Int(mask.pixels[place / 3])
      let mixed = Int(pixels[place]) * share + Int(colour[place % 3]) * (255 - share)
      result.pixels[place] = UInt8((mixed + 127) / 255)
    }
    return result
  }
}
