import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// Pictures in tiles.
@Suite(.serialized) struct TilingTests {
  private let scratch = Scratch()

  /// Tiles cover an axis, overlap as asked, are no longer than allowed, and count one in all everywhere.
  @Test(arguments: [9, 16, 17, 23, 40, 100, 257], [false, true])
  func axes(extent: Int, isRing: Bool) {
    let axis = TileAxis(extent: extent, limit: 16, overlap: 4, isRing: isRing)
    #expect(axis.tile <= 16 && axis.tile <= extent && (extent > 16) == (axis.starts.count > 1))
    #expect(axis.crossesEdge == (isRing && extent > 16))
    var sums = [Float](repeating: 0, count: extent * 3)
    let shares = axis.shares(scale: 3)
    for tile in axis.starts.indices {
      let places = axis.places(of: tile, scale: 3)
      #expect(places.count == axis.tile * 3)
      for (share, place) in zip(shares[tile], places) {
        #expect(share > 0 && share <= 1)
        sums[place] += share
      }
    }
    #expect(sums.allSatisfy { abs($0 - 1) < 1e-5 })
    let ends = axis.starts.map { $0 + axis.tile }
    for (end, next) in zip(ends, axis.starts.dropFirst()) { #expect(end - next >= 4) }
    if !isRing { #expect(ends.last == extent) }
    if axis.crossesEdge { #expect((ends.last ?? 0) - extent - axis.starts[0] >= 4) }
  }

  /// What every tile computes alike comes out as if it were computed at once.
  @Test(arguments: [nil, Seamless.both, .x])
  func blending(seamless: Seamless?) throws {
    let grid = TileGrid(height: 23, width: 40, limit: 16, overlap: 4, seamless: seamless)
    #expect(grid.count == grid.rows.starts.count * grid.columns.starts.count && grid.count >= 6)
    #expect(grid.seamless(of: seamless) == nil)
    let image = HostArray((0..<23 * 40 * 2).map { Float($0 % 97) }, shape: [1, 23, 40, 2])
    // Each pixel doubled in both directions, with a channel more.
    let result = try grid.blend(image, scale: 1, resultScale: 2) { tile, _ in
      let (height, width) = (tile.shape[1], tile.shape[2])
      #expect(height == grid.tile.height && width == grid.tile.width)
      let source = tile.floats
      let values = (0..<4 * height * width).flatMap { place -> [Float] in
        let pixel = (place / (2 * width) / 2 * width + place % (2 * width) / 2) * 2
        return [source[pixel], source[pixel + 1], source[pixel] + source[pixel + 1]]
      }
      return HostArray(values, shape: [1, 2 * height, 2 * width, 3])
    }
    #expect(result.shape == [1, 46, 80, 3])
    let (found, source) = (result.floats, image.floats)
    for y in 0..<46 {
      for x in 0..<80 {
        let (pixel, place) = ((y / 2 * 40 + x / 2) * 2, (y * 80 + x) * 3)
        #expect(abs(found[place] - source[pixel]) < 1e-3)
        #expect(abs(found[place + 2] - source[pixel] - source[pixel + 1]) < 1e-3)
      }
    }
  }

  /// One tile has to see the opposite edge by itself, several do so by where they lie.
  @Test func rings() {
    let long = TileGrid(height: 12, width: 40, limit: 16, overlap: 4, seamless: .both)
    #expect(long.seamless(of: .both) == .y && long.rows.starts == [0] && long.columns.crossesEdge)
    #expect(TileGrid(height: 12, width: 16, limit: 16, overlap: 4, seamless: .both).seamless(of: .both) == .both)
    #expect(TileGrid(height: 12, width: 40, limit: 16, overlap: 4).seamless(of: nil) == nil)
  }

  private func components() throws -> ModelComponents { try Networks.components(.f32) }

  private func latents(_ height: Int, _ width: Int) -> HostArray {
    // Smooth, as pictures are.
    let values = (0..<height * width * 4).map { index -> Float in
      let (y, x, c) = (index / 4 / width, index / 4 % width, index % 4)
      return Float(sin(Double(x) * 0.9 + Double(c)) + cos(Double(y) * 0.7 - Double(c)))
    }
    return HostArray(values, shape: [1, height, width, 4])
  }

  private func options(_ mode: TilingOptions.Mode, _ size: Int) -> TilingOptions {
    var options = TilingOptions()
    (options.mode, options.tileSize) = (mode, size)
    return options
  }

  /// A picture that fits into a tile has the same bits; one that does not is close to the whole.
  @Test func decodes() throws {
    let components = try components()
    let small = latents(8, 6)
    let whole = try Autoencoder(components, options(.off, 64))
    let tiled = try Autoencoder(components, options(.on, 64))
    #expect(try whole.decode(small) == tiled.decode(small))
    let large = latents(19, 12)
    let (expected, found) = try (whole.decode(large), tiled.decode(large))
    #expect(found.shape == [1, 152, 96, 3] && expected.shape == found.shape)
    let error = Comparison.relative(found.floats, expected.floats)
    // Groups of random weights are normalised tile by tile.
    #expect(error > 1e-6 && error < 1, "\(error)")
  }

  @Test func encodes() throws {
    let components = try components()
    let whole = try Autoencoder(components, options(.off, 64))
    let tiled = try Autoencoder(components, options(.on, 64))
    let image = try whole.decode(latents(19, 12))
    let (expected, found) = try (whole.encode(image), tiled.encode(image))
    #expect(found.shape == [1, 19, 12, 8] && expected.shape == found.shape)
    let error = Comparison.relative(found.floats, expected.floats)
    // Random weights amplify what groups differ by; unrelated moments would differ by 1.4.
    #expect(error > 1e-6 && error < 1, "\(error)")
  }

  /// A trained autoencoder hardly sees beyond a tile: 44 dB on drawn pictures of the embedded model.
  @Test func tilesOfATrainedModel() throws {
    var compilation = CompilationOptions()
    compilation.cacheFolder = SharedKernels.folder
    let components = try ModelComponents(ModelOptions(precision: .f32), Compiler(compilation, precision: .f32, .silent))
    let picture = try ImageFile.read(Goldens.url("pillow/source.png")).resized(width: 160, height: 128, .bicubic)
    let image = HostArray(picture.pixels.map { Float($0) / 127.5 - 1 }, shape: [1, 128, 160, 3])
    let (whole, tiled) = try (Autoencoder(components, options(.off, 64)), Autoencoder(components, options(.on, 64)))
    let (moments, found) = try (whole.encode(image), tiled.encode(image))
    #expect(Comparison.relative(found.floats, moments.floats) < 0.1)
    let means = moments.floats.indices.filter { $0 % 8 < 4 }.map { moments.floats[$0] }
    let latents = HostArray(means, shape: [1, moments.shape[1], moments.shape[2], 4])
    let (expected, blended) = try (whole.decode(latents).floats, tiled.decode(latents).floats)
    let error = zip(expected, blended).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Float(expected.count)
    #expect(error > 0 && 10 * log10(4 / error) > 35, "\(10 * log10(4 / error)) dB")
  }

  /// Options in, picture out: metadata tell of both, and what a picture says draws it again.
  @Test func drawsSeamlessPicturesInTiles() throws {
    var request = SampleRequest()
    request.prompt = "a fox, on grass"
    request.steps = 2
    (request.width, request.height) = (96, 64)
    request.model.precision = .f32
    request.compiler.cacheFolder = SharedKernels.folder
    request.seamless = .both
    request.tiling = options(.on, 64)
    request.output = scratch.path("a.png")
    try SampleJob(request, .silent).run()
    let (picture, texts) = try PNG.read(URL(fileURLWithPath: request.output))
    #expect(texts.first { $0.keyword == "parameters" }?.text.contains("Tiling: True") == true)
    let settings = try PictureSettings(contentsOf: URL(fileURLWithPath: request.output))
    #expect(settings.request.seamless == .both && settings.request.tiling == request.tiling)
    var again = RedrawRequest(request.output)
    again.compiler.cacheFolder = SharedKernels.folder
    again.output = scratch.path("b.png")
    try RedrawJob(again, .silent).run()
    #expect(try PNG.read(URL(fileURLWithPath: again.output)).image == picture)
    // Copies side by side show no seam: the step over the edge is as small as others.
    func difference(_ a: Int, _ b: Int) -> Int {
      (0..<picture.height).reduce(0) { sum, y in
        let row = y * picture.width
        return sum + (0..<3).reduce(0) { $0 + abs(Int(picture.pixels[(row + a) * 3 + $1]) - Int(picture.pixels[(row + b) * 3 + $1])) }
      }
    }
    let inner = (1..<picture.width).map { difference($0 - 1, $0) }.max() ?? 0
    #expect(difference(picture.width - 1, 0) <= inner)
  }

  /// Too little memory is said before the work begins.
  @Test func refusals() throws {
    func fault(_ change: (inout SampleRequest) -> Void) -> String {
      var request = SampleRequest()
      request.steps = 1
      request.compiler.cacheFolder = SharedKernels.folder
      request.output = scratch.path("none.png")
      change(&request)
      do {
        try SampleJob(request, .silent).run()
        return "nothing"
      } catch { return "\(error)" }
    }
    let small = fault { $0.compiler.memoryLimit = 1 << 20 }
    #expect(small.contains("needs") && small.contains("--max-ram allows 1 MiB"), "\(small)")
    let large = fault {
      ($0.width, $0.height, $0.tiling.mode) = (1024, 1024, .off)
      $0.compiler.memoryLimit = 64 << 20
    }
    #expect(large.contains("'vae_decoder'") && large.contains("--vae-tiling on"), "\(large)")
    #expect(fault { $0.tiling.tileSize = 10 }.contains("--vae-tile-size 10: expected"))
    #expect(!FileManager.default.fileExists(atPath: scratch.path("none.png")))
  }
}
