import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport

/// Enlarges pictures with a network of a file, tile by tile.
package final class PictureUpscaler {
  package let model: UpscalerModel
  private let compiler: Compiler
  private let tileSize: Int
  private var known: (height: Int, width: Int, program: Program)?

  /// The longest edge of a tile in pixels of the small picture, unless told otherwise; the web UI's.
  package static let usualTileSize = 192
  /// The fewest pixels that tiles share.
  private static let overlap = 16

  /// - Parameter tileSize: 0 for the whole picture at once.
  /// - Throws: what is wrong with the file; a usage error for the size.
  package init(_ path: String, tileSize: Int = usualTileSize, _ compiler: Compiler) throws {
    guard tileSize == 0 || 4 * Self.overlap...8192 ~= tileSize else {
      throw CommandError.usage("--tile \(tileSize): expected \(4 * Self.overlap) to 8192 pixels, or 0 for no tiles")
    }
    model = try UpscalerModel(URL(fileURLWithPath: path))
    (self.tileSize, self.compiler) = (tileSize, compiler)
  }

  /// The picture, `model.config.scale` times larger; transparency is dropped.
  package func enlarge(_ picture: PixelImage) throws -> PixelImage {
    let (side, scale) = (model.config.unshuffle, model.config.scale)
    let image = model.config.channels == 1 ? picture.gray : picture.rgb
    guard PixelImage.isBounded(image.width * scale, image.height * scale) else {
      throw CommandError.failure(
        "the picture would have \(image.width * scale)x\(image.height * scale) pixels, expected at most "
          + "\(PixelImage.mostPixels) in all")
    }
    // Squares of pixels must be whole: the last row and column are repeated.
    let (height, width) = ((image.height + side - 1) / side, (image.width + side - 1) / side)
    let limit = tileSize == 0 ? max(height, width) : tileSize / side
    let grid = TileGrid(height: height, width: width, limit: limit, overlap: Self.overlap / side)
    let program = try program(grid.tile.height * side, grid.tile.width * side)
    let source = HostArray(values(image, height * side, width * side), shape: [1, height * side, width * side, model.config.channels])
    let what = "'\(model.url.lastPathComponent)'"
    let reporter = compiler.reporter
    let result = try reporter.phase(.run, what) {
      try grid.blend(source, scale: side, resultScale: side * scale) { tile, number in
        try Interruption.check()
        guard let result = try program.run(["image": tile])["result"] else {
          throw CommandError.failure("the upscaler gave no 'result'")
        }
        if grid.count > 1 { reporter.progress(.run, what, done: number + 1, of: grid.count) }
        return result
      }
    }
    return try cut(result, image.width * scale, image.height * scale)
  }

  /// The pixels in 0…1, their last row and column repeated up to a size.
  private func values(_ image: PixelImage, _ height: Int, _ width: Int) -> [Float] {
    let channels = image.channels
    // A network of four channels takes the picture as opaque.
    let depth = model.config.channels
    var values: [Float] = []
    values.reserveCapacity(height * width * depth)
    for y in 0..<height {
      for x in 0..<width {
        let first = (min(y, image.height - 1) * image.width + min(x, image.width - 1)) * channels
        for channel in 0..<depth {
          values.append(channel < channels ? Float(image.pixels[first + channel]) / 255 : 1)
        }
      }
    }
    return values
  }

  /// The upper left part of a result as a picture, `round(255 · clamp(x, 0, 1))`.
  private func cut(_ result: HostArray, _ width: Int, _ height: Int) throws -> PixelImage {
    let (depth, values) = (result.shape[3], result.floats)
    let channels = depth == 1 ? 1 : 3
    var pixels: [UInt8] = []
    pixels.reserveCapacity(width * height * channels)
    for y in 0..<height {
      for x in 0..<width {
        let first = (y * result.shape[2] + x) * depth
        for channel in 0..<channels {
          let value = values[first + channel]
          guard value.isFinite else {
            throw CommandError.failure("the upscaler gave \(value), expected numbers; try --type f32")
          }
          pixels.append(UInt8((min(max(value, 0), 1) * 255).rounded(.toNearestOrEven)))
        }
      }
    }
    return PixelImage(width: width, height: height, channels: channels, pixels: pixels).rgb
  }

  private func program(_ height: Int, _ width: Int) throws -> Program {
    if let known, (known.height, known.width) == (height, width) { return known.program }
    known = nil
    let module = try model.module(height: height, width: width)
    let compiled = try compiler.unquantised.compile(module, function: module.graphs[0].name)
    let program = try Program(
      compiled, weights: WeightFiles([UpscalerModel.source: model.file]), on: compiler, keepsPacked: true)
    known = (height, width, program)
    return program
  }
}
