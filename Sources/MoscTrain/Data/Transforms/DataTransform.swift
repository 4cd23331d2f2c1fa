import MoscFormats
import MoscImages
import MoscRandom

/// A picture on its way through the transforms.
package struct TransformState: Sendable {
  /// RGB.
  package var image: PixelImage
  /// White where the concept is, as large as the picture; nil without mask, and once it is reduced.
  package var mask: PixelImage?
  package var caption: String
  /// The numbers of the picture once it is a tensor.
  package var tensor: [Float]?
  /// The masks at the size of the latents, once they are made.
  package var reducedMask: MaskPlane?
  package var reducedImageMask: MaskPlane?
  package var maskReduction: MaskReduction
  /// Pixels per latent pixel.
  package var latentFactor: Int

  package init(
    image: PixelImage, mask: PixelImage?, caption: String,
    maskReduction: MaskReduction = .bilinear, latentFactor: Int = 8
  ) {
    self.image = image
    self.mask = mask
    self.caption = caption
    self.maskReduction = maskReduction
    self.latentFactor = latentFactor
  }

  /// What a training step takes: what no transform has done yet is done as plainly as possible.
  package func finished() -> TrainingSample {
    let numbers = tensor ?? image.pixels.map { Float($0) / 255 }
    var imageMask = reducedImageMask
    if imageMask == nil {
      let (rows, columns) = (image.height / latentFactor, image.width / latentFactor)
      let ones = [Double](repeating: 1, count: rows * columns)
      imageMask = MaskPlane(width: columns, height: rows, values: ones)
    }
    let concept = reducedMask ?? mask?.shares.reduced(maskReduction, by: latentFactor)
    return TrainingSample(
      image: numbers, height: image.height, width: image.width, mask: concept?.values,
      imageMask: imageMask?.values ?? [], caption: caption)
  }
}

extension PixelImage {
  /// The first channel as shares of 255.
  var shares: MaskPlane {
    MaskPlane(
      width: width, height: height,
      values: (0..<width * height).map { Double(pixels[$0 * channels]) / 255 })
  }
}

/// One step of preparing a training picture, under the name that Mix-of-Show's configurations use.
///
/// Source: Mix-of-Show, `mixofshow/data/pil_transform.py`; torchvision transforms for those it
/// takes from there. Where the reference transforms only the picture, the mask is kept aligned with
/// it.
package enum DataTransform: Hashable, Sendable {
  case placeHuman(size: Int, cropChance: Double)
  case placeObject(size: Int, cropChance: Double, scale: ClosedRange<Double>)
  /// To a short side, or to height and width.
  case resize(TargetSize)
  case centerCrop(height: Int, width: Int)
  /// Draws from torch's generator, or from Python's for the paired kind.
  case randomCrop(height: Int, width: Int, isPaired: Bool)
  case randomHorizontalFlip(chance: Double)
  /// Bytes to 0…1.
  case toTensor
  /// `(x − mean) / deviation`, one number for all channels or one for each.
  case normalize(mean: [Float], deviation: [Float])
  case shuffleCaption(keep: Int)
  case enhanceText(CaptionTemplates)

  /// Whether the picture, rather than the caption, may come out otherwise the next time.
  package var drawsPicture: Bool {
    switch self {
    case .placeHuman, .placeObject, .randomCrop, .randomHorizontalFlip: true
    case .resize, .centerCrop, .toTensor, .normalize, .shuffleCaption, .enhanceText: false
    }
  }

  /// The caption after the transform, which most leave alone.
  package func caption(_ caption: String, _ random: inout PythonRandom) -> String {
    switch self {
    case .shuffleCaption(let keep): Self.shuffled(caption, keeping: keep, &random)
    case .enhanceText(let templates): Self.enhanced(caption, templates, &random)
    default: caption
    }
  }

  /// What a picture is resized to.
  package enum TargetSize: Hashable, Sendable {
    case shortSide(Int)
    case exact(height: Int, width: Int)
  }

  /// Applies the transform.
  ///
  /// - Throws: `FormatError` when the picture is too small for it.
  package func apply(
    to state: inout TransformState, _ random: inout TransformRandom
  ) throws(FormatError) {
    switch self {
    case .placeHuman(let size, let chance):
      try state.placeHuman(size, cropChance: chance, &random)
    case .placeObject(let size, let chance, let scale):
      try state.placeObject(size, cropChance: chance, scale: scale, &random)
    case .resize(.shortSide(let size)):
      try state.resizeShortSide(to: size)
    case .resize(.exact(let height, let width)):
      try state.resize(width: width, height: height)
    case .centerCrop(let height, let width):
      state.centerCrop(height: height, width: width)
    case .randomCrop(let height, let width, let isPaired):
      try state.randomCrop(height: height, width: width, isPaired: isPaired, &random)
    case .randomHorizontalFlip(let chance):
      guard random.torch.uniforms(1)[0] < Float(chance) else { return }
      state.image = state.image.mirrored
      state.mask = state.mask?.mirrored
    case .toTensor:
      state.tensor = state.image.pixels.map { Float($0) / 255 }
    case .normalize(let mean, let deviation):
      let numbers = state.tensor ?? state.image.pixels.map { Float($0) / 255 }
      state.tensor = numbers.enumerated().map { i, value in
        (value - mean[i % 3 % mean.count]) / deviation[i % 3 % deviation.count]
      }
    case .shuffleCaption, .enhanceText:
      state.caption = caption(state.caption, &random.python)
    }
  }
}
