import MoscFormats

extension PixelImage {
  /// The middle square of a picture whose shorter edge is brought to a length first.
  ///
  /// Source: torchvision's `Resize` and `CenterCrop`, as CLIP uses them: the longer edge is cut to whole
  /// pixels, half a pixel of the crop's place goes to the even number.
  ///
  /// - Parameters:
  ///   - edge: the length of the shorter edge, at least `crop`.
  ///   - crop: the side of the square.
  package func framed(edge: Int, crop: Int) throws(FormatError) -> PixelImage {
    guard width > 0, height > 0 else { throw FormatError("picture", nil, "has no pixels") }
    let size =
      width <= height
      ? (width: edge, height: edge * height / width) : (width: edge * width / height, height: edge)
    let resized = try resized(width: size.width, height: size.height, .bicubic)
    func start(_ extent: Int) -> Int {
      Int((Double(extent - crop) / 2).rounded(.toNearestOrEven))
    }
    return resized.cropped(left: start(size.width), top: start(size.height), width: crop, height: crop)
  }
}
