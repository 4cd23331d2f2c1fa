import Foundation
import MoscFormats
import MoscImages
import MoscRandom

/// A picture file with what belongs to it.
package struct TrainingImage: Hashable, Sendable {
  package var image: URL
  package var caption: String
  /// A picture that is white where the concept is.
  package var mask: URL?
  /// The transforms of the dataset this picture uses.
  package var transforms: Int

  package init(image: URL, caption: String, mask: URL? = nil, transforms: Int = 0) {
    self.image = image
    self.caption = caption
    self.mask = mask
    self.transforms = transforms
  }
}

/// The pictures that a concept is taught with.
package struct Dataset: Hashable, Sendable {
  /// Pictures in the order of their names, repeated ones next to each other.
  package var images: [TrainingImage]
  /// The lists of transforms that pictures refer to.
  package var transforms: [[DataTransform]]
  /// How often all pictures are seen in one epoch.
  package var enlargeRatio: Int
  package var batchSize: Int
  package var maskReduction: MaskReduction
  /// Pixels per latent pixel.
  package var latentFactor = 8

  package init(
    images: [TrainingImage], transforms: [[DataTransform]], enlargeRatio: Int = 1,
    batchSize: Int = 1, maskReduction: MaskReduction = .bilinear
  ) {
    self.images = images
    self.transforms = transforms
    self.enlargeRatio = enlargeRatio
    self.batchSize = batchSize
    self.maskReduction = maskReduction
  }

  /// The samples of an epoch.
  package var count: Int { images.count * enlargeRatio }

  /// Puts the pictures into a random order once, as the reference does when it opens a dataset.
  package mutating func shuffle(_ random: inout PythonRandom) { random.shuffle(&images) }

  /// Prepares a sample; indices beyond the pictures start over.
  ///
  /// - Throws: `FormatError` naming the file, for a picture that cannot be read or is too small.
  package func sample(
    _ index: Int, _ random: inout TransformRandom
  ) throws(FormatError) -> TrainingSample {
    let entry = images[index % images.count]
    var state = TransformState(
      image: try ImageFile.read(entry.image).rgb,
      mask: try Self.mask(entry), caption: entry.caption, maskReduction: maskReduction, latentFactor: latentFactor)
    do {
      for transform in transforms[entry.transforms] { try transform.apply(to: &state, &random) }
    } catch {
      throw FormatError(entry.image.path, nil, error.message)
    }
    return state.finished()
  }

  /// Whether a picture may come out otherwise the next time.
  package func drawsPicture(_ index: Int) -> Bool {
    transforms[images[index % images.count].transforms].contains(where: \.drawsPicture)
  }

  /// A caption as the transforms leave it, without its picture.
  package func caption(_ index: Int, _ random: inout PythonRandom) -> String {
    let entry = images[index % images.count]
    return transforms[entry.transforms].reduce(entry.caption) { $1.caption($0, &random) }
  }

  private static func mask(_ entry: TrainingImage) throws(FormatError) -> PixelImage? {
    guard let mask = entry.mask else { return nil }
    return try ImageFile.read(mask).mask(path: mask.path)
  }

  /// Everything that would stop a training run, by reading every file once.
  ///
  /// - Parameter words: the words that captions must name; all samples need equally many of them.
  /// - Returns: problems with file names; empty when there are none.
  package func problems(words: [String] = []) -> [FormatError] { review(words: words).problems }

  /// Everything that would stop a training run, and what may not be as it was meant.
  package func review(
    words: [String] = []
  ) -> (problems: [FormatError], warnings: [String]) {
    var problems: [FormatError] = []
    var transparent: [URL] = []
    if images.isEmpty { problems.append(FormatError("dataset", nil, "there are no pictures")) }
    var seen: Set<TrainingImage> = []
    for entry in images where seen.insert(entry).inserted {
      let image = noting(&problems) { () throws(FormatError) in try ImageFile.read(entry.image) }
      if let image { problems += fit(image, entry) }
      if let image, image.hasTransparency { transparent.append(entry.image) }
      if entry.mask != nil {
        let mask = noting(&problems) { () throws(FormatError) in try Self.mask(entry) }
        if let image, let mask = mask ?? nil,
          mask.width != image.width || mask.height != image.height
        {
          problems.append(
            FormatError(
              entry.mask?.path ?? "", nil,
              "the mask has \(mask.width)x\(mask.height) pixels, its picture "
                + "'\(entry.image.path)' \(image.width)x\(image.height)"))
        }
        if let mask = mask ?? nil, mask.pixels.allSatisfy({ $0 == 0 }) {
          problems.append(
            FormatError(entry.mask?.path ?? "", nil, "the mask is black: it marks no concept"))
        }
      }
      let absent = words.filter { !entry.caption.contains($0) }
      if !absent.isEmpty {
        problems.append(
          FormatError(
            entry.image.path, "caption '\(entry.caption)'",
            "does not name \(absent.joined(separator: ", "))"))
      }
    }
    guard let first = transparent.first else { return (problems, []) }
    let count = transparent.count
    return (
      problems,
      [
        "\(count == 1 ? "a picture has" : "\(count) pictures have") transparent pixels, whose hidden colours "
          + "are learnt as they are: '\(first.path)'"
      ]
    )
  }

  /// Whether the transforms accept a picture of that size.
  private func fit(_ image: PixelImage, _ entry: TrainingImage) -> [FormatError] {
    if max(image.width, image.height) > 50 * min(image.width, image.height) {
      return [
        FormatError(
          entry.image.path, nil, "\(image.width)x\(image.height) pixels are too narrow a strip")
      ]
    }
    var (width, height) = (image.width, image.height)
    for transform in transforms[entry.transforms] {
      switch transform {
      case .resize(.exact(let newHeight, let newWidth)): (width, height) = (newWidth, newHeight)
      case .resize(.shortSide(let side)):
        let short = min(width, height)
        (width, height) = (width * side / short, height * side / short)
      case .centerCrop(let newHeight, let newWidth): (width, height) = (newWidth, newHeight)
      case .placeHuman(let side, _), .placeObject(let side, _, _): (width, height) = (side, side)
      case .randomCrop(let newHeight, let newWidth, _):
        guard width >= newWidth, height >= newHeight else {
          return [
            FormatError(
              entry.image.path, nil,
              "\(width)x\(height) pixels are too few for a crop of \(newWidth)x\(newHeight)")
          ]
        }
        (width, height) = (newWidth, newHeight)
      default: break
      }
    }
    return []
  }

  private func noting<Result>(
    _ problems: inout [FormatError], _ body: () throws(FormatError) -> Result
  ) -> Result? {
    do {
      return try body()
    } catch {
      problems.append(error)
      return nil
    }
  }
}
