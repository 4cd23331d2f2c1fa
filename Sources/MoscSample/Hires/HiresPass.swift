import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport

/// Makes the latents of a first pass larger, for a second.
struct HiresPass {
  private let plan: SamplePlan
  private let options: HiresOptions
  private let autoencoder: Autoencoder
  /// The network of a file that enlarges pictures.
  private let network: PictureUpscaler?
  private let enlarged: (width: Int, height: Int)
  private let kept: (width: Int, height: Int)

  /// - Parameter plan: that of the first pass.
  /// - Throws: what is wrong with the file of an upscaler.
  init(_ plan: SamplePlan, _ autoencoder: Autoencoder, _ compiler: Compiler) throws {
    self.plan = plan
    self.autoencoder = autoencoder
    options = plan.request.hires
    if case .file(let path) = options.upscaler { network = try PictureUpscaler(path, compiler) } else { network = nil }
    (enlarged, kept) = try options.sizes(width: plan.width, height: plan.height, factor: plan.factor)
  }

  /// How many steps of the second pass's schedule are left out.
  var leftOut: Int { options.steps(first: plan.request.steps).leftOut }

  /// The latents `[n,h,w,c]` of a batch in the large size.
  ///
  /// - Parameter decode: the picture of one sample of latents.
  func enlarge(_ latents: HostArray, decode: (HostArray) throws -> PixelImage) throws -> HostArray {
    let large: HostArray
    if case .latent(let filter) = options.upscaler {
      large = filter.resized(
        latents, height: enlarged.height / plan.factor, width: enlarged.width / plan.factor,
        rings: plan.request.seamless?.axes ?? [])
    } else {
      large = .stacked(
        try (0..<latents.shape[0]).map { try encode(enlarge(decode(latents.samples($0..<$0 + 1)))) })
    }
    return cut(large)
  }

  /// A picture in the large size. A network enlarges it until it is as large, at most three times, and the rest is
  /// resized, as in the web UI.
  private func enlarge(_ picture: PixelImage) throws -> PixelImage {
    var (picture, filter) = (picture, ResamplingFilter.lanczos)
    if case .picture(let chosen) = options.upscaler { filter = chosen }
    if let network {
      for _ in 0..<3 where picture.width < enlarged.width || picture.height < enlarged.height {
        picture = try network.enlarge(picture)
        if network.model.config.scale == 1 { break }
      }
    }
    return try picture.resized(width: enlarged.width, height: enlarged.height, filter)
  }

  /// The means of a picture's latents, scaled.
  private func encode(_ picture: PixelImage) throws -> HostArray {
    let pixels = HostArray(
      picture.rgb.pixels.map { Float($0) / 255 * 2 - 1 }, shape: [1, picture.height, picture.width, 3])
    let moments = try autoencoder.encode(pixels)
    let (channels, values) = (plan.latentChannels, moments.floats)
    let means = (0..<moments.count / 2).map {
      values[$0 / channels * 2 * channels + $0 % channels] * plan.scalingFactor
    }
    if let bad = means.first(where: { !$0.isFinite }) {
      throw CommandError.failure("the VAE's encoder gave \(bad), expected numbers; try --type f32")
    }
    return HostArray(means, shape: [1, moments.shape[1], moments.shape[2], channels])
  }

  /// The middle of latents that cover more than is kept.
  private func cut(_ latents: HostArray) -> HostArray {
    let (height, width) = (kept.height / plan.factor, kept.width / plan.factor)
    let (count, h, w, c) = (latents.shape[0], latents.shape[1], latents.shape[2], latents.shape[3])
    if (h, w) == (height, width) { return latents }
    let (top, left, values) = ((h - height) / 2, (w - width) / 2, latents.floats)
    var result: [Float] = []
    result.reserveCapacity(count * height * width * c)
    for sample in 0..<count {
      for y in top..<top + height {
        let first = ((sample * h + y) * w + left) * c
        result += values[first..<first + width * c]
      }
    }
    return HostArray(result, shape: [count, height, width, c])
  }
}
