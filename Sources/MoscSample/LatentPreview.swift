import FoundationEssentials
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport

/// Small pictures of latents while they are denoised.
///
/// `proj` shows a pixel per latent through a linear map of the model (`LatentProjection`), `tae` decodes
/// with a tiny autoencoder and `vae` with that of the pictures. Whatever a preview needs is made at the
/// first one.
package final class LatentPreview {
  /// How latents become a picture.
  package enum Method: String, CaseIterable, Hashable, Codable, Sendable {
    case none, proj, tae, vae
  }

  package let method: Method
  private let components: ModelComponents
  private let scalingFactor: Float
  private var projection: LatentProjection?
  private var decoder: (shape: [Int], program: Program)?

  /// - Parameters:
  ///   - model: the model of the pictures.
  ///   - taesd: a file or folder with a tiny autoencoder, for `tae`; nil where the model has one itself.
  /// - Throws: a usage error for `tae` without a tiny autoencoder.
  package init(
    _ method: Method, _ model: DiffusersModel, taesd: String? = nil, _ compiler: Compiler
  ) throws {
    self.method = method
    var model = model
    if method == .tae {
      if let taesd { model = try ModelComponents.open(model.url.path, vae: taesd) }
      guard try model.vae().config.tiny != nil else {
        throw CommandError.usage("--preview tae needs a tiny autoencoder; give one with --taesd")
      }
    }
    let config = try model.vae().config
    guard try config.latentChannels == model.unet().config.outChannels else {
      throw CommandError.failure(
        "the autoencoder of previews has \(config.latentChannels) latents, the U-Net gives "
          + "\(try model.unet().config.outChannels)")
    }
    scalingFactor = Float(config.scalingFactor)
    // Previews are looked at, not measured, and said nothing of.
    components = ModelComponents(model, compiler.unquantised.reporting(to: .silent))
  }

  /// The picture of scaled latents, one sample `[1,h,w,c]`; nil for `none`.
  package func image(of latents: HostArray) throws -> PixelImage? {
    switch method {
    case .none: return nil
    case .proj:
      let map = try projection ?? LatentProjection.kept(for: components)
      projection = map
      return map.image(of: latents)
    case .tae, .vae: return try decoded(latents)
    }
  }

  /// Gives back the decoder's memory, until the next preview.
  package func release() { decoder = nil }

  private func decoded(_ latents: HostArray) throws -> PixelImage {
    if decoder?.shape != latents.shape {
      decoder = nil
      let function = ModelFunction.vaeDecoder(
        batch: 1, height: latents.shape[1], width: latents.shape[2])
      decoder = (latents.shape, try components.program(function))
    }
    let given = HostArray(latents.floats.map { $0 / scalingFactor }, shape: latents.shape)
    guard let image = try decoder?.program.run(["latents": given])["image"] else {
      throw CommandError.failure("the decoder gave no 'image'")
    }
    return PixelImage(decoded: image)
  }
}

extension PixelImage {
  /// The picture of a decoder's output `[1,h,w,3]` in −1…1: `round(255 · clamp(x/2 + ½, 0, 1))`, ties to
  /// even; black where it is no number.
  package init(decoded image: HostArray) {
    self.init(
      width: image.shape[2], height: image.shape[1],
      pixels: image.floats.map { value in
        UInt8((min(max(value.isNaN ? 0 : value / 2 + 0.5, 0), 1) * 255).rounded(.toNearestOrEven))
      })
  }
}
