import MoscDiffusion
import MoscFormats
import MoscImages
import MoscRandom

/// What the pictures of a batch begin with: noise, and if there is one, a picture's latents.
struct PictureBeginning {
  /// The initial noise, `[n,h,w,c]`.
  let noise: HostArray
  let start: Denoising.Start?
  let hold: LatentHold?
  /// What a U-Net for inpainting reads beside the latents, `[n,h,w,1+c]`: the mask, and the latents of the picture
  /// without what is masked.
  private let surroundings: HostArray?

  /// - Parameters:
  ///   - given: the initial noise; nil to draw it.
  ///   - sources: one for each picture. Drawn from as by diffusers: the picture's latents, noise, the latents of
  ///     the masked picture.
  init(
    _ plan: SamplePlan, _ pictures: [SamplePlan.Picture], _ encoded: EncodedPicture?, given: HostArray?,
    _ denoising: Denoising, _ scheduler: any Scheduler, _ sources: inout [any RandomSource]
  ) {
    let begins = plan.picture.map { Self.firstCalls($0, plan, scheduler) } ?? []
    let isHeld = begins.contains { $0 > 0 }
    let startsWithNoise = plan.picture?.startsWithNoise ?? true
    var data: HostArray?
    if let whole = encoded?.whole, isHeld || !startsWithNoise { data = whole.drawn(&sources) }
    let noise: HostArray
    if let given {
      noise = given
    } else {
      let drawn = plan.request.variation.noise(
        pictures.map(\.variationSeed), plan.request.randomSource, denoising, &sources)
      noise = RegionNoise(plan)?.mixed(into: drawn) ?? drawn
    }
    self.noise = noise
    if let masked = encoded?.masked {
      surroundings = Self.surroundings(masked.drawn(&sources), encoded?.mask)
    } else {
      surroundings = nil
      // diffusers draws those latents for every mask, whether they are read or not.
      if plan.picture?.marks != nil { _ = denoising.noise(&sources) }
    }
    guard let picture = plan.picture, let data else {
      (start, hold) = (nil, nil)
      return
    }
    var filled = data
    if let mask = encoded?.mask, picture.fill == .noise || picture.fill == .nothing {
      filled = Self.filled(data, mask, with: picture.fill == .noise ? noise : nil)
    }
    start = startsWithNoise ? nil : Denoising.Start(filled, leavingOut: picture.leftOut)
    hold = isHeld ? LatentHold(data: data, noise: noise, begins: begins) : nil
  }

  /// The call of the run before which each place is held. A U-Net that is given the mask draws all of it.
  private static func firstCalls(
    _ picture: PicturePlan, _ plan: SamplePlan, _ scheduler: any Scheduler
  ) -> [Int] {
    var begun = scheduler
    let first = begun.begin(at: picture.leftOut)
    return picture.begins.map { step in
      if step < plan.request.steps { return begun.firstCall(of: step) - first }
      return plan.takesMask ? 0 : Int.max
    }
  }

  /// The latents with what else the U-Net reads.
  func input(_ latents: HostArray) -> HostArray {
    surroundings.map { Self.joined(latents, $0) } ?? latents
  }

  /// The mask before the latents of the masked picture.
  private static func surroundings(_ latents: HostArray, _ mask: [Float]?) -> HostArray {
    let cells = latents.shape[0] * latents.shape[1] * latents.shape[2]
    let ones = [Float](repeating: 1, count: cells)
    let marks = mask.map { mask in (0..<cells).map { mask[$0 % mask.count] } } ?? ones
    return joined(HostArray(marks, shape: latents.shape.dropLast() + [1]), latents)
  }

  /// Two arrays `[n,h,w,…]` side by side in their last axis.
  private static func joined(_ a: HostArray, _ b: HostArray) -> HostArray {
    let (left, right) = (a.floats, b.floats)
    let (m, n) = (a.shape[3], b.shape[3])
    var result: [Float] = []
    result.reserveCapacity(left.count + right.count)
    for cell in 0..<left.count / m {
      result += left[cell * m..<(cell + 1) * m]
      result += right[cell * n..<(cell + 1) * n]
    }
    return HostArray(result, shape: a.shape.dropLast() + [m + n])
  }

  /// Latents with zeros or noise where the mask is.
  private static func filled(_ data: HostArray, _ mask: [Float], with noise: HostArray?) -> HostArray {
    var values = data.floats
    let (other, channels) = (noise?.floats, data.shape[3])
    for place in values.indices where mask[place / channels % mask.count] > 0 {
      values[place] = other?[place] ?? 0
    }
    return HostArray(values, shape: data.shape)
  }
}

/// The picture of a plan as the encoder sees it.
struct EncodedPicture {
  /// nil where there is no picture.
  let whole: PictureLatents?
  /// The picture, grey where it is masked; nil where nothing reads it.
  let masked: PictureLatents?
  /// 1 for each latent that is drawn anew; nil for all.
  let mask: [Float]?

  /// Encodes what a plan needs; nil for a plan of text alone.
  init?(_ plan: SamplePlan, _ autoencoder: Autoencoder) throws {
    defer { autoencoder.releaseEncoder() }
    func encoded(_ pixels: HostArray) throws -> PictureLatents {
      try PictureLatents(pixels, autoencoder, scalingFactor: plan.scalingFactor)
    }
    guard let picture = plan.picture else {
      guard plan.takesMask else { return nil }
      let grey = HostArray(
        [Float](repeating: 0, count: plan.width * plan.height * 3), shape: [1, plan.height, plan.width, 3])
      (whole, masked, mask) = (nil, try encoded(grey), nil)
      return
    }
    let pixels = PictureLatents.pixels(picture.drawn)
    whole = try encoded(pixels)
    mask = picture.marks == nil ? nil : picture.begins.map { $0 < plan.request.steps ? 1 : 0 }
    guard plan.takesMask else {
      masked = nil
      return
    }
    var values = pixels.floats
    for place in values.indices {
      if picture.marks.map({ $0.pixels[place / 3] > 0 }) ?? true { values[place] = 0 }
    }
    masked = try encoded(HostArray(values, shape: pixels.shape))
  }
}
