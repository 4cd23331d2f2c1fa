import MoscDiffusion
import MoscFormats
import MoscImages

/// Which part of the finished picture is drawn, and in what size.
///
/// The part may reach beyond the right and the lower edge, where the networks' sizes are no multiple of the
/// picture's; what is drawn there is cut off.
package struct PictureFrame: Hashable, Sendable {
  /// The finished picture.
  package let width, height: Int
  /// The part of it that is drawn, in pixels of the picture.
  package let left, top, areaWidth, areaHeight: Int
  /// The size in which that is drawn.
  package let drawnWidth, drawnHeight: Int

  /// All of a picture, in its own size rounded up to multiples.
  init(width: Int, height: Int, multiple: Int) {
    (self.width, self.height, left, top) = (width, height, 0, 0)
    areaWidth = (width + multiple - 1) / multiple * multiple
    areaHeight = (height + multiple - 1) / multiple * multiple
    (drawnWidth, drawnHeight) = (areaWidth, areaHeight)
  }

  /// The surroundings of what a mask marks, in the proportions of the size in which they are drawn; nil when it
  /// marks nothing.
  ///
  /// The box around the mask grows by the padding, then along one axis to the proportions, and moves inside of the
  /// picture as far as it can. As the A1111 web UI does it.
  init?(around mask: PixelImage, padding: Int, drawnWidth: Int, drawnHeight: Int) {
    let (width, height) = (mask.width, mask.height)
    var (x0, y0, x1, y1) = (width, height, 0, 0)
    for y in 0..<height {
      for x in 0..<width where mask.pixels[y * width + x] > 0 {
        (x0, x1) = (min(x0, x), max(x1, x + 1))
        (y0, y1) = (min(y0, y), max(y1, y + 1))
      }
    }
    guard x0 < x1 else { return nil }
    (x0, y0) = (max(0, x0 - padding), max(0, y0 - padding))
    (x1, y1) = (min(width, x1 + padding), min(height, y1 + padding))
    func grown(_ from: Int, _ to: Int, to wanted: Int, in extent: Int) -> (Int, Int) {
      let more = wanted - (to - from)
      let start = min(max(0, from - more / 2), max(0, extent - wanted))
      return (start, start + wanted)
    }
    let ratio = Double(drawnWidth) / Double(drawnHeight)
    if Double(x1 - x0) > ratio * Double(y1 - y0) {
      (y0, y1) = grown(y0, y1, to: max(1, Int((Double(x1 - x0) / ratio).rounded())), in: height)
    } else {
      (x0, x1) = grown(x0, x1, to: max(1, Int((Double(y1 - y0) * ratio).rounded())), in: width)
    }
    (self.width, self.height) = (width, height)
    (left, top, areaWidth, areaHeight) = (x0, y0, x1 - x0, y1 - y0)
    (self.drawnWidth, self.drawnHeight) = (drawnWidth, drawnHeight)
  }

  /// Whether the picture is drawn as it is.
  var isWhole: Bool {
    left == 0 && top == 0 && areaWidth == width && areaHeight == height && drawnWidth == width
      && drawnHeight == height
  }

  /// The drawn part of a picture, in the drawn size.
  func cut(_ image: PixelImage, _ filter: ResamplingFilter = .lanczos) throws -> PixelImage {
    if isWhole { return image }
    return try image.window(left: left, top: top, width: areaWidth, height: areaHeight)
      .resized(width: drawnWidth, height: drawnHeight, filter)
  }

  /// A picture with what was drawn put into it where the overlay, of the picture's size, says so; everywhere for nil.
  func put(_ drawing: PixelImage, into image: PixelImage, where overlay: PixelImage?) throws -> PixelImage {
    let part = try drawing.resized(width: areaWidth, height: areaHeight, .lanczos)
    let whole = part.window(left: -left, top: -top, width: width, height: height)
    guard var overlay else { return whole }
    for y in 0..<height {
      for x in 0..<width where !(left..<left + areaWidth ~= x && top..<top + areaHeight ~= y) {
        overlay.pixels[y * width + x] = 0
      }
    }
    return image.overlaid(with: whole, where: overlay)
  }

  /// A region of the picture as one of the drawn part.
  func cut(_ region: Region) -> Region {
    if isWhole { return region }
    var result = region
    func share(_ fraction: Double, _ extent: Int, _ start: Int, _ length: Int) -> Double {
      min(max((fraction * Double(extent) - Double(start)) / Double(length), 0), 1)
    }
    if let box = region.box {
      result.box = RegionBox(
        left: share(box.left, width, left, areaWidth), top: share(box.top, height, top, areaHeight),
        right: share(box.right, width, left, areaWidth),
        bottom: share(box.bottom, height, top, areaHeight))
      result.feather = region.feather * Double(drawnWidth) / Double(areaWidth)
    }
    if let mask = region.mask {
      var values: [Float] = []
      values.reserveCapacity(areaWidth * areaHeight)
      for y in top..<top + areaHeight {
        for x in left..<left + areaWidth {
          let isInside = 0..<mask.width ~= x && 0..<mask.height ~= y
          values.append(isInside ? mask.values[y * mask.width + x] : 0)
        }
      }
      result.mask = RegionMask(width: areaWidth, height: areaHeight, values: values)
    }
    return result
  }
}
