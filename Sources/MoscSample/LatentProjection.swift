import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport

/// A linear map from a model's latents to colours, a pixel per latent: `rgb = Wᵀ·z + b`.
///
/// It is fitted by least squares to what the model's own decoder makes of random latents, averaged over
/// the square of each. Those latents are made as pictures' are: standard normal, each channel a sum of
/// noise at sides of 1, 2, 4, … latents, so that they are alike from one to the next and vary over the
/// picture; white noise, which decodes to mere texture, would teach the map too little contrast.
package struct LatentProjection: Hashable, Sendable {
  /// `[c + 1][3]`: a row of weights per channel, then the constant.
  package let rows: [[Double]]
  /// The share of the variance of the fitted colours that the map leaves: 0 is exact, 1 is a grey.
  package let unexplained: Double

  /// The side of the latents of a fit, and how many there are.
  private static let side = 32, samples = 4
  /// Fits of another kind have other keys.
  private static let version = "latent projection 1"

  init(rows: [[Double]], unexplained: Double) {
    (self.rows, self.unexplained) = (rows, unexplained)
  }

  /// The map of a model: that of an earlier run from the cache, else a new one.
  package static func kept(for components: ModelComponents) throws -> LatentProjection {
    let channels = try components.model.vae().config.latentChannels
    let count = (channels + 1) * 3 + 1
    let cache = components.compiler.packedWeights
    let key = try key(of: components.model)
    if let cache, case .hit(let numbers) = cache.numbers(key, count: count), numbers.allSatisfy(\.isFinite) {
      let rows = (0...channels).map { Array(numbers[$0 * 3..<$0 * 3 + 3]) }
      return LatentProjection(rows: rows, unexplained: numbers[count - 1])
    }
    let map = try fitted(to: components)
    cache?.keep(map.rows.flatMap { $0 } + [map.unexplained], key)
    return map
  }

  /// What tells the map of a model from that of any other; no two tensors of a file differ in it.
  private static func key(of model: DiffusersModel) throws -> String {
    let files = try model.files(.vae).files.map { $0.identity ?? $0.place }
    return FileHash.sha256(Data(([version] + files).joined(separator: "\n").utf8))
  }

  /// Fits the map to what the decoder makes of random latents.
  package static func fitted(to components: ModelComponents) throws -> LatentProjection {
    let config = try components.model.vae().config
    let (side, channels) = (Self.side, config.latentChannels)
    let program = try components.program(.vaeDecoder(batch: 1, height: side, width: side))
    var fit = LeastSquares(inputs: channels + 1, outputs: 3)
    for seed in 0..<samples {
      let latents = randomLatents(side: side, channels: channels, seed: UInt64(seed))
      let scaled = latents.map { $0 / Float(config.scalingFactor) }
      guard
        let image = try program.run(["latents": HostArray(scaled, shape: [1, side, side, channels])])["image"]
      else { throw CommandError.failure("the decoder gave no 'image'") }
      let colours = averages(image, cells: side)
      for cell in 0..<side * side {
        let input = (0..<channels).map { Double(latents[cell * channels + $0]) } + [1]
        fit.add(input, colours[cell])
      }
    }
    guard let rows = fit.solution() else {
      throw CommandError.failure("the latents of '\(components.model.url.path)' do not determine a map to colours")
    }
    return LatentProjection(rows: rows, unexplained: fit.unexplained(by: rows))
  }

  /// Standard-normal latents `[h,w,c]` whose channels are sums of noise at all scales.
  private static func randomLatents(side: Int, channels: Int, seed: UInt64) -> [Float] {
    var source = RandomSourceKind.cpu.source(seed: seed)
    var scales: [Int] = []
    var scale = 1
    while scale < side {
      scales.append(scale)
      scale *= 2
    }
    let share = 1 / Float(scales.count).squareRoot()
    var result = [Float](repeating: 0, count: side * side * channels)
    for scale in scales {
      let cells = side / scale
      let noise = source.normals(cells * cells * channels)
      for y in 0..<side {
        for x in 0..<side {
          let cell = (y / scale) * cells + x / scale
          for channel in 0..<channels {
            result[(y * side + x) * channels + channel] += share * noise[cell * channels + channel]
          }
        }
      }
    }
    return result
  }

  /// The mean colours in 0…1 of the squares of an image `[1,h,w,3]` in −1…1, one per latent.
  private static func averages(_ image: HostArray, cells: Int) -> [[Double]] {
    let side = image.shape[1] / cells
    let (width, values) = (image.shape[2], image.floats)
    var sums = [[Double]](repeating: [0, 0, 0], count: cells * cells)
    for y in 0..<image.shape[1] {
      for x in 0..<width {
        let cell = (y / side) * cells + x / side
        for channel in 0..<3 {
          let value = Double(values[(y * width + x) * 3 + channel]) / 2 + 0.5
          sums[cell][channel] += min(max(value, 0), 1)
        }
      }
    }
    let count = Double(side * side)
    return sums.map { $0.map { $0 / count } }
  }

  /// The picture of scaled latents `[1,h,w,c]`, a pixel per latent.
  package func image(of latents: HostArray) -> PixelImage {
    let (height, width, channels) = (latents.shape[1], latents.shape[2], latents.shape[3])
    let values = latents.floats
    let constant = rows[rows.count - 1]
    var pixels: [UInt8] = []
    pixels.reserveCapacity(height * width * 3)
    for cell in 0..<height * width {
      for colour in 0..<3 {
        var sum = constant[colour]
        for channel in 0..<channels {
          sum += rows[channel][colour] * Double(values[cell * channels + channel])
        }
        pixels.append(UInt8((min(max(sum.isNaN ? 0 : sum, 0), 1) * 255).rounded()))
      }
    }
    return PixelImage(width: width, height: height, pixels: pixels)
  }
}

/// Linear regression from sums of products.
///
/// `W = (XᵀX)⁻¹ XᵀY`, by Gauss elimination with the largest pivots.
struct LeastSquares {
  private var products: [[Double]]
  private var targets: [[Double]]
  private var squares: [Double]
  private var sums: [Double]
  private var count = 0.0

  init(inputs: Int, outputs: Int) {
    products = [[Double]](repeating: [Double](repeating: 0, count: inputs), count: inputs)
    targets = [[Double]](repeating: [Double](repeating: 0, count: outputs), count: inputs)
    squares = [Double](repeating: 0, count: outputs)
    sums = squares
  }

  mutating func add(_ x: [Double], _ y: [Double]) {
    for i in x.indices {
      for j in x.indices { products[i][j] += x[i] * x[j] }
      for k in y.indices { targets[i][k] += x[i] * y[k] }
    }
    for k in y.indices {
      squares[k] += y[k] * y[k]
      sums[k] += y[k]
    }
    count += 1
  }

  /// The weights `[inputs][outputs]`; nil when the inputs do not determine them.
  func solution() -> [[Double]]? {
    var (a, b) = (products, targets)
    for column in a.indices {
      guard let pivot = (column..<a.count).max(by: { abs(a[$0][column]) < abs(a[$1][column]) }),
        abs(a[pivot][column]) > 1e-9 * max(count, 1)
      else { return nil }
      a.swapAt(column, pivot)
      b.swapAt(column, pivot)
      for row in a.indices where row != column {
        let factor = a[row][column] / a[column][column]
        for k in a.indices { a[row][k] -= factor * a[column][k] }
        for k in b[row].indices { b[row][k] -= factor * b[column][k] }
      }
    }
    let rows = a.indices.map { row in b[row].map { $0 / a[row][row] } }
    return rows.allSatisfy { $0.allSatisfy(\.isFinite) } ? rows : nil
  }

  /// The share of the outputs' variance that weights leave.
  func unexplained(by rows: [[Double]]) -> Double {
    var (left, all) = (0.0, 0.0)
    for k in squares.indices {
      // ‖y − xW‖² of a solution is ‖y‖² − Wᵀ XᵀY.
      left += squares[k] - rows.indices.reduce(0) { $0 + rows[$1][k] * targets[$1][k] }
      all += squares[k] - sums[k] * sums[k] / max(count, 1)
    }
    return all > 0 ? max(0, left / all) : 0
  }
}
