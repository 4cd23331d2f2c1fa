import MoscFormats
import MoscImages
import MoscRandom

extension TransformState {
  /// Resizes picture and mask, both bilinearly.
  mutating func resize(width: Int, height: Int) throws(FormatError) {
    image = try image.resized(width: width, height: height, .bilinear)
    mask = try mask?.resized(width: width, height: height, .bilinear)
  }

  /// Resizes to a short side; then, when the long side passes a limit, to that limit.
  ///
  /// `long' = ⌊size·long/short⌋`; above the limit, `short' = ⌊limit·size/long'⌋`. Source:
  /// torchvision `_compute_resized_output_size`.
  mutating func resizeShortSide(to size: Int, limit: Int? = nil) throws(FormatError) {
    let isPortrait = image.width <= image.height
    let (short, long) =
      isPortrait ? (image.width, image.height) : (image.height, image.width)
    // The division is one of floats there; the product fits exactly.
    var newShort = size
    var newLong = Int(Double(size * long) / Double(short))
    if let limit, newLong > limit {
      newShort = Int(Double(limit * newShort) / Double(newLong))
      newLong = limit
    }
    let (width, height) = isPortrait ? (newShort, newLong) : (newLong, newShort)
    try resize(width: max(width, 1), height: max(height, 1))
  }

  /// Cuts picture and mask.
  mutating func crop(left: Int, top: Int, width: Int, height: Int) {
    image = image.cropped(left: left, top: top, width: width, height: height)
    mask = mask?.cropped(left: left, top: top, width: width, height: height)
  }

  /// Cuts the middle out; what is too small gets black around it.
  ///
  /// Half pixels are rounded to even, as Python does. Source: torchvision `center_crop`.
  mutating func centerCrop(height: Int, width: Int) {
    func start(_ size: Int, _ wanted: Int) -> Int {
      if size < wanted { return -((wanted - size) / 2) }
      return Int((Double(size - wanted) / 2).rounded(.toNearestOrEven))
    }
    crop(
      left: start(image.width, width), top: start(image.height, height), width: width,
      height: height)
  }

  /// Cuts a random part out.
  ///
  /// The paired kind draws column, then row from Python's generator; torchvision's draws row, then
  /// column from torch's, and nothing when the size fits already.
  mutating func randomCrop(
    height: Int, width: Int, isPaired: Bool, _ random: inout TransformRandom
  ) throws(FormatError) {
    guard image.width >= width, image.height >= height else {
      throw FormatError(
        "picture", nil,
        "a \(width)x\(height) part cannot be cut from \(image.width)x\(image.height)")
    }
    let (across, down) = (image.width - width, image.height - height)
    if isPaired {
      let left = random.python.integer(0...across)
      let top = random.python.integer(0...down)
      crop(left: left, top: top, width: width, height: height)
    } else if across + down > 0 {
      let top = random.torch.integers(1, from: 0, to: down + 1)[0]
      let left = random.torch.integers(1, from: 0, to: across + 1)[0]
      crop(left: left, top: top, width: width, height: height)
    }
  }

  /// `HumanResizeCropFinalV3`: short side to the size, with a chance a crop, long side to the size,
  /// then a random place on black.
  ///
  /// The crop keeps the top of a portrait, a random square of anything else.
  mutating func placeHuman(
    _ size: Int, cropChance: Double, _ random: inout TransformRandom
  ) throws(FormatError) {
    try resizeShortSide(to: size)
    if random.python.random() < cropChance {
      if image.height > image.width {
        let extra = random.python.integer(0...image.height - image.width)
        crop(left: 0, top: 0, width: image.width, height: image.width + extra)
      } else {
        try randomCrop(height: size, width: size, isPaired: mask != nil, &random)
      }
    }
    try resizeShortSide(to: size - 1, limit: size)
    try place(on: size, &random.python)
  }

  /// `ResizeFillMaskNew`: a random square or the whole picture, shrunk by a random ratio, at a
  /// random place on black.
  mutating func placeObject(
    _ size: Int, cropChance: Double, scale: ClosedRange<Double>,
    _ random: inout TransformRandom
  ) throws(FormatError) {
    try resizeShortSide(to: size)
    if random.python.random() < cropChance {
      try randomCrop(height: size, width: size, isPaired: mask != nil, &random)
    } else {
      try resizeShortSide(to: size - 1, limit: size)
    }
    let ratio = random.python.uniform(scale.lowerBound, scale.upperBound)
    let width = max(1, Int(Double(image.width) * ratio))
    let height = max(1, Int(Double(image.height) * ratio))
    image = try image.resized(width: width, height: height, .bilinear)
    mask = try mask?.resized(width: width, height: height, .nearest)
    try place(on: size, &random.python)
  }

  /// Puts the picture on a black square at a random place, row drawn first, and makes the masks.
  private mutating func place(
    on size: Int, _ random: inout PythonRandom
  ) throws(FormatError) {
    guard image.width <= size, image.height <= size else {
      throw FormatError(
        "picture", nil,
        "\(image.width)x\(image.height) does not fit on \(size)x\(size): the scale ratio exceeds 1")
    }
    let top = random.integer(0...size - image.height)
    let left = random.integer(0...size - image.width)
    let covered = PixelImage(
      width: image.width, height: image.height, channels: 1,
      pixels: [UInt8](repeating: 255, count: image.width * image.height))
    func placed(_ image: PixelImage) -> PixelImage {
      image.cropped(left: -left, top: -top, width: size, height: size)
    }
    reducedImageMask = placed(covered).shares.reduced(maskReduction, by: latentFactor)
    reducedMask = mask.map { placed($0).shares.reduced(maskReduction, by: latentFactor) }
    image = placed(image)
    mask = nil
  }
}
