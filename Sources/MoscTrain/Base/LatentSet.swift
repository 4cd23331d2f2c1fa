import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// The encoder's view of every picture: mean and log-variance, kept as f16.
struct LatentSet {
  /// Numbers per picture: h·w·2c.
  private let moments: [[Float16]]
  /// Channels of the latents.
  let channels: Int

  /// Encodes all pictures, or reads what the run encoded before it was resumed.
  ///
  /// - Parameter cache: a file that is used if it fits pictures, autoencoder and arithmetic, and
  ///   written otherwise.
  init(
    _ set: PictureSet, _ components: ModelComponents, cache: URL, batch: Int = 16
  ) throws {
    channels = try components.model.vae().config.latentChannels
    let weights = try components.model.files(.vae).files.map { try FileHash.sha256(of: $0.url) }
    let key = [
      "pictures": set.hash, "autoencoder": weights.joined(separator: " "),
      "type": components.compiler.target.precision.rawValue,
    ]
    if let known = Self.read(cache, key, count: set.files.count) {
      moments = known
      return
    }
    moments = try Self.encode(set, components, batch)
    var tensors: [(name: String, array: HostArray)] = []
    for (index, numbers) in moments.enumerated() {
      let bytes = numbers.withUnsafeBytes { [UInt8]($0) }
      tensors.append(
        ("\(index)", HostArray(dtype: .f16, shape: [numbers.count], bytes: bytes)))
    }
    try SafetensorsFile.write(tensors, metadata: key, to: cache)
  }

  private static func read(_ file: URL, _ key: [String: String], count: Int) -> [[Float16]]? {
    guard FileManager.default.fileExists(atPath: file.path),
      let stored = try? SafetensorsFile(file), stored.metadata == key
    else { return nil }
    var moments: [[Float16]] = []
    for index in 0..<count {
      guard let entry = stored["\(index)"] else { return nil }
      let bytes = stored.bytes(of: entry)
      moments.append(
        (0..<bytes.count / 2).map {
          Float16(bitPattern: bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
        })
    }
    return withExtendedLifetime(stored) { moments }
  }

  private static func encode(
    _ set: PictureSet, _ components: ModelComponents, _ batch: Int
  ) throws -> [[Float16]] {
    let reporter = components.compiler.reporter
    var moments = [[Float16]](repeating: [], count: set.files.count)
    let bySize = Dictionary(grouping: set.sizes.indices) {
      [set.sizes[$0].height, set.sizes[$0].width]
    }
    var done = 0
    reporter.begin(.encode, "pictures")
    for (size, pictures) in bySize.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      let program = try components.program(
        .vaeEncoder(batch: batch, height: size[0], width: size[1]))
      for first in stride(from: 0, to: pictures.count, by: batch) {
        let part = Array(pictures[first..<min(first + batch, pictures.count)])
        // The last batch is filled up with its last picture.
        let full = part + [Int](repeating: part[part.count - 1], count: batch - part.count)
        let floats = try program.run(["image": try set.images(full)])["moments"]?.floats ?? []
        let stride = floats.count / batch
        for (place, picture) in part.enumerated() {
          moments[picture] = floats[place * stride..<(place + 1) * stride].map { Float16($0) }
        }
        done += part.count
        reporter.progress(.encode, "pictures", done: done, of: set.files.count)
      }
    }
    reporter.end(.encode, "pictures")
    return moments
  }

  /// The latents of a picture with noise drawn by the encoder's distribution, times a factor.
  ///
  /// - Parameter noise: h·w·c standard-normal numbers; empty for the mean.
  func latents(_ picture: Int, noise: ArraySlice<Float>, factor: Float) -> [Float] {
    let numbers = moments[picture]
    var result: [Float] = []
    result.reserveCapacity(numbers.count / 2)
    for pixel in stride(from: 0, to: numbers.count, by: 2 * channels) {
      for channel in 0..<channels {
        var value = Float(numbers[pixel + channel])
        if !noise.isEmpty {
          let logVariance = min(max(Float(numbers[pixel + channels + channel]), -30), 20)
          value += exp(0.5 * logVariance) * noise[noise.startIndex + result.count]
        }
        result.append(value * factor)
      }
    }
    return result
  }

  /// One over the standard deviation of the means of some pictures.
  func scalingFactor(_ pictures: [Int]) -> Double {
    var (sum, square, count) = (0.0, 0.0, 0.0)
    for picture in pictures {
      for value in latents(picture, noise: [], factor: 1) {
        sum += Double(value)
        square += Double(value) * Double(value)
        count += 1
      }
    }
    let variance = square / max(1, count) - (sum / max(1, count)) * (sum / max(1, count))
    return variance > 0 ? 1 / variance.squareRoot() : 1
  }
}
