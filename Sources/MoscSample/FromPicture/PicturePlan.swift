import MoscDiffusion
import MoscFormats
import MoscImages
import MoscReport

/// A picture that a run begins with, brought to the size in which it is drawn, with the step at which each place
/// begins to be drawn.
package struct PicturePlan: Sendable {
  package let options: PictureOptions
  /// The regions in fractions of the finished picture.
  package let regions: [Region]
  /// What was changed about the files, one sentence each.
  package let notes: [String]
  let frame: PictureFrame
  /// The drawn part in the drawn size, its marked part filled if asked for.
  let drawn: PixelImage
  /// What is drawn anew, in the drawn size, 0 or 255; nil for everything.
  let marks: PixelImage?
  /// The first of all steps that each latent takes part in, row by row; all of them for never.
  package let begins: [Int]
  /// How many of the first steps are left out.
  package let leftOut: Int
  package let strength: Double
  /// What marked places hold at first.
  package let fill: PictureOptions.Fill
  /// The picture, and where what was drawn is put into it; nil for everywhere.
  private let original: PixelImage
  private let overlay: PixelImage?

  /// The side up to which pixels count that a picture has and nobody asked for, in sides of training.
  private static let mostTrainedSides = 4

  /// - Parameters:
  ///   - factor: pixels per latent.
  ///   - trained: the side of the pictures that the model was trained on.
  ///   - regions: the regions of a picture of a size.
  init(
    _ request: SampleRequest, _ path: String, factor: Int, trained: Int,
    regions read: (_ width: Int, _ height: Int) throws -> [Region]
  ) throws {
    let options = request.picture
    for (option, side) in [("width", request.width), ("height", request.height)] {
      if let side { try CommandError.check(option, side, in: 1...SamplePlan.mostSide) }
    }
    // Where only the surroundings of a mask are drawn, the size that is asked for is theirs.
    let own = options.drawsOnlyMasked
    let source = try SourcePicture(
      options, path: path, width: own ? nil : request.width, height: own ? nil : request.height)
    let (width, height) = (source.image.width, source.image.height)
    let regions = try read(width, height)
    let rounding: RegionCoverage.Rounding = request.matchesMixOfShow ? .inward : .centre
    let mask = Self.mask(source, options, regions, rounding)
    if let mask, mask.pixels.allSatisfy({ $0 == 0 }) {
      throw CommandError.usage("nothing of the picture would be drawn: the mask marks nothing of it")
    }
    let soft = mask?.blurred(sigma: options.maskBlur ?? PictureOptions.usualBlur)
    let frame = try Self.frame(request, source, soft, factor, trained)
    let marks = try soft.map { soft in
      var marks = try frame.cut(soft, .bilinear)
      marks.pixels = marks.pixels.map { $0 >= 128 ? 255 : 0 }
      return marks
    }
    // Twice the blurred mask, so that what is marked is put in wholly and only its surroundings fade.
    var cover = soft
    cover?.pixels = (soft?.pixels ?? []).map { UInt8(clamping: 2 * Int($0)) }
    if let margin = source.margin {
      for i in margin.pixels.indices where margin.pixels[i] > 0 { cover?.pixels[i] = 255 }
    }
    overlay = cover
    fill = options.fill ?? (source.margin == nil ? .original : .fill)
    let part = try frame.cut(source.image)
    drawn = if fill != .original, let marks { part.filled(where: marks) } else { part }
    original = source.image
    strength = options.strength ?? (source.margin == nil ? PictureOptions.usualStrength : 1)
    begins = Self.begins(
      request.steps, strength, marks, regions.map(frame.cut), frame, factor, rounding)
    leftOut = begins.min() ?? request.steps
    (self.options, self.regions, self.frame, self.marks) = (options, regions, frame, marks)
    notes = source.notes + frame.notes
    guard leftOut < request.steps else {
      throw CommandError.usage(
        "--strength \(GenerationParameters.number(strength)) of \(request.steps) steps leaves none: expected at least "
          + "\(GenerationParameters.number((1000 / Double(request.steps)).rounded(.up) / 1000))")
    }
  }

  /// The latents of the drawn picture.
  func latentSize(_ factor: Int) -> (width: Int, height: Int) {
    (frame.drawnWidth / factor, frame.drawnHeight / factor)
  }

  /// Whether the marked places begin with noise alone, as diffusers has it at full strength.
  var startsWithNoise: Bool { marks != nil && leftOut == 0 && strength >= 1 }

  /// The finished picture: what was drawn, put where it belongs.
  package func finished(_ drawing: PixelImage) throws -> PixelImage {
    if frame.isWhole, overlay == nil { return drawing }
    return try frame.put(drawing, into: original, where: overlay)
  }

  // MARK: Parts

  /// What is drawn anew of the picture; nil for everything.
  private static func mask(
    _ source: SourcePicture, _ options: PictureOptions, _ regions: [Region], _ rounding: RegionCoverage.Rounding
  ) -> PixelImage? {
    let (width, height) = (source.image.width, source.image.height)
    guard source.mask != nil || source.margin != nil || options.keepsOutside else { return nil }
    var pixels = source.mask?.pixels
    if options.keepsOutside {
      var inside = [UInt8](repeating: 0, count: width * height)
      for region in regions {
        let member = RegionCoverage.membership(region, height, width, width, rounding)
        for i in inside.indices { inside[i] = max(inside[i], UInt8((member[i] * 255).rounded())) }
      }
      pixels = pixels.map { zip($0, inside).map { min($0, $1) } } ?? inside
    }
    var mask = pixels ?? [UInt8](repeating: 0, count: width * height)
    if let margin = source.margin { mask = zip(mask, margin.pixels).map { max($0, $1) } }
    return PixelImage(width: width, height: height, channels: 1, pixels: mask)
  }

  private static func frame(
    _ request: SampleRequest, _ source: SourcePicture, _ mask: PixelImage?, _ factor: Int, _ trained: Int
  ) throws -> PictureFrame {
    let (width, height) = (source.image.width, source.image.height)
    guard request.picture.drawsOnlyMasked, let mask else {
      let frame = PictureFrame(width: width, height: height, multiple: factor)
      let most = mostTrainedSides * trained
      let isAsked = request.width != nil || request.height != nil
      guard isAsked || frame.drawnWidth * frame.drawnHeight <= max(most * most, 1 << 18) else {
        throw CommandError.usage(
          "the picture has \(width)x\(height) pixels, which take much memory: say --width or --height for a smaller "
            + "one, or --inpaint-full-res to draw only what is masked")
      }
      guard max(frame.drawnWidth, frame.drawnHeight) <= SamplePlan.mostSide else {
        throw CommandError.usage(
          "the picture would have \(width)x\(height) pixels, expected at most \(SamplePlan.mostSide) a side")
      }
      return frame
    }
    guard
      let frame = PictureFrame(
        around: mask, padding: request.picture.padding ?? PictureOptions.usualPadding,
        drawnWidth: request.width ?? trained, drawnHeight: request.height ?? trained)
    else { throw CommandError.usage("nothing of the picture would be drawn: the mask marks nothing of it") }
    return frame
  }

  /// The first step of each latent.
  ///
  /// A latent takes part when any of its pixels is marked; what is put back later cares for the others.
  private static func begins(
    _ steps: Int, _ strength: Double, _ marks: PixelImage?, _ regions: [Region], _ frame: PictureFrame,
    _ factor: Int, _ rounding: RegionCoverage.Rounding
  ) -> [Int] {
    let (rows, columns) = (frame.drawnHeight / factor, frame.drawnWidth / factor)
    var begins = [Int](
      repeating: PictureOptions.leftOut(of: steps, strength: strength), count: rows * columns)
    for region in regions {
      guard let own = region.strength else { continue }
      let member = RegionCoverage.membership(region, rows, columns, frame.drawnWidth, rounding)
      for cell in begins.indices where member[cell] >= 0.5 {
        begins[cell] = PictureOptions.leftOut(of: steps, strength: own)
      }
    }
    guard let marks else { return begins }
    for cell in begins.indices {
      let (x, y) = (cell % columns * factor, cell / columns * factor)
      let isMarked = (y..<y + factor).contains { row in
        marks.pixels[row * marks.width + x..<row * marks.width + x + factor].contains { $0 > 0 }
      }
      if !isMarked { begins[cell] = steps }
    }
    return begins
  }
}

extension PictureFrame {
  /// What is not drawn in the size of the picture.
  fileprivate var notes: [String] {
    if isWhole { return [] }
    if areaWidth == drawnWidth, areaHeight == drawnHeight, left == 0, top == 0 {
      return ["\(width)x\(height) is drawn as \(drawnWidth)x\(drawnHeight), and the rest cut off"]
    }
    return [
      "\(areaWidth)x\(areaHeight) pixels from \(left),\(top) are drawn as \(drawnWidth)x\(drawnHeight) and put back"
    ]
  }
}
