import MoscDiffusion
import MoscFormats

/// Places that are not drawn, or not yet: after every step they are the picture's latents again, as noisy as the
/// step left the others.
///
/// Before the call at which a place begins, `x = a·x₀ + b·ε`, with the level `(a, b)` of the next call and always the
/// same noise ε. With places that never begin this is inpainting with a plain U-Net (Lugmayr et al. 2022, eq. 8,
/// without its resampling; diffusers' `StableDiffusionInpaintPipeline`), with others a strength for each place (Levin
/// & Fried 2023, algorithm 1).
struct LatentHold: Sendable {
  /// The latents of the picture and the noise, `[n,h,w,c]`.
  let data, noise: HostArray
  /// The call of the run before which each place, of `h·w`, is held.
  let begins: [Int]

  /// Puts the held places back.
  func apply(to step: inout Denoising.Step) {
    let (held, next) = (step.level.noisy(data.floats, noise: noise.floats), step.number + 1)
    let channels = data.shape[3]
    for (place, _) in step.latents.enumerated() where begins[place / channels % begins.count] > next {
      step.latents[place] = held[place]
    }
  }
}
