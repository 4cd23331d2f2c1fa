import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscReport

/// The autoencoder of a run: pictures of latents and latents of pictures, whole or tile by tile.
///
/// Programs are made for the first picture and kept. Tiles normalise their groups by themselves, so a picture
/// in tiles differs a little from one that is computed whole (docs/large-pictures.md says how much).
package final class Autoencoder {
  private let components: ModelComponents
  private let options: TilingOptions
  private let seamless: Seamless?
  private let factor: Int
  private var programs: [ModelFunction: Program] = [:]
  /// Whether the time of each kernel is taken.
  package var isProfiling = false

  package init(_ components: ModelComponents, _ options: TilingOptions, seamless: Seamless? = nil) throws {
    (self.components, self.options, self.seamless) = (components, options, seamless)
    factor = try components.model.vae().config.downsampling
    try options.check(factor: factor)
  }

  /// The decoder that ran last, for profiles.
  package var decoder: Program? { programs.first { $0.key.kind == .vaeDecoder }?.value }

  /// Gives the weights of the encoder back.
  package func releaseEncoder() { programs = programs.filter { $0.key.kind != .vaeEncoder } }

  /// The image `[1,H,W,3]` in −1…1 of latents `[1,h,w,c]`, which are unscaled.
  package func decode(_ latents: HostArray) throws -> HostArray {
    let (height, width) = (latents.shape[1], latents.shape[2])
    let grid = options.grid(height: height, width: width, factor: factor, seamless: seamless)
    let function = ModelFunction.vaeDecoder(
      batch: 1, height: grid.tile.height, width: grid.tile.width, seamless: grid.seamless(of: seamless))
    return try run(function, "latents", "image", grid, latents, scale: 1, resultScale: factor)
  }

  /// The moments `[1,h,w,2·c]` of an image `[1,H,W,3]` in −1…1, whose edges are multiples of the reduction.
  package func encode(_ image: HostArray) throws -> HostArray {
    let (height, width) = (image.shape[1] / factor, image.shape[2] / factor)
    let grid = options.grid(height: height, width: width, factor: factor, seamless: seamless)
    let function = ModelFunction.vaeEncoder(
      batch: 1, height: grid.tile.height * factor, width: grid.tile.width * factor,
      seamless: grid.seamless(of: seamless))
    return try run(function, "image", "moments", grid, image, scale: factor, resultScale: 1)
  }

  private func run(
    _ function: ModelFunction, _ input: String, _ output: String, _ grid: TileGrid, _ image: HostArray,
    scale: Int, resultScale: Int
  ) throws -> HostArray {
    let program = try program(function)
    let reporter = components.compiler.reporter
    return try grid.blend(image, scale: scale, resultScale: resultScale) { tile, number in
      try Interruption.check()
      guard let result = try program.run([input: tile])[output] else {
        throw CommandError.failure("the autoencoder gave no '\(output)'")
      }
      if grid.count > 1 { reporter.progress(.decode, "tiles", done: number + 1, of: grid.count) }
      return result
    }
  }

  /// Gives the memory of all programs back; they are made anew when they are needed.
  package func release() { programs = [:] }

  /// Refuses a decoder of the whole of a large picture that needs more memory than there is, before the
  /// picture is drawn.
  package func checkMemory(height: Int, width: Int) throws {
    let grid = options.grid(height: height, width: width, factor: factor, seamless: seamless)
    guard grid.count == 1, height * width * factor * factor > TilingOptions.mostWhole else { return }
    let function = ModelFunction.vaeDecoder(batch: 1, height: height, width: width, seamless: seamless)
    let source = try components.model.program(function)
    let compiler = components.compiler.suited(to: function)
    do {
      try compiler.checkMemory(of: try compiler.compile(source.module, function: source.function.name))
    } catch let error as CommandError where error.status == .failure {
      throw CommandError.failure("\(error); --vae-tiling on decodes in tiles")
    }
  }

  private func program(_ function: ModelFunction) throws -> Program {
    if let known = programs[function] { return known }
    // Programs of other sizes are not used again.
    programs = programs.filter { $0.key.kind != function.kind }
    let program = try components.program(function)
    program.isProfiling = isProfiling
    programs[function] = program
    return program
  }
}
