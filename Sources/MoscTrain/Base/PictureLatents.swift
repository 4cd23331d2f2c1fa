import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

extension EncodedPictures<Float16> {
  /// Encodes the pictures of pretraining, or reads what the run encoded before it was resumed.
  ///
  /// - Parameter file: it is used if it fits pictures, autoencoder and arithmetic, and written
  ///   otherwise.
  init(_ set: PictureSet, _ components: ModelComponents, keptIn file: URL) throws {
    let channels = try components.model.vae().config.latentChannels
    let weights = try components.model.files(.vae).files.map { try FileHash.sha256(of: URL(filePath: $0.place)) }
    let key = [
      "pictures": set.hash, "autoencoder": weights.joined(separator: " "),
      "type": components.compiler.target.precision.rawValue,
    ]
    if let known = Self.read(file, key, count: set.images.count) {
      self.init(moments: known, channels: channels)
      return
    }
    self.init(moments: try Self.encode(set, components), channels: channels)
    let tensors = moments.enumerated().map { index, numbers in
      let bytes = numbers.withUnsafeBytes { [UInt8]($0) }
      return ("\(index)", HostArray(dtype: .f16, shape: [numbers.count], bytes: bytes))
    }
    try SafetensorsFile.write(tensors, metadata: key, to: file)
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
    _ set: PictureSet, _ components: ModelComponents
  ) throws -> [[Float16]] {
    let reporter = components.compiler.reporter
    let encoder = PictureEncoder(components, batch: 16)
    var moments = [[Float16]](repeating: [], count: set.images.count)
    let bySize = Dictionary(grouping: set.sizes.indices) {
      [set.sizes[$0].height, set.sizes[$0].width]
    }
    var done = 0
    reporter.begin(.encode, "pictures")
    for (_, pictures) in bySize.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      for first in stride(from: 0, to: pictures.count, by: encoder.batch) {
        let part = Array(pictures[first..<min(first + encoder.batch, pictures.count)])
        // The last batch is filled up with its last picture.
        let padding = [Int](repeating: part[part.count - 1], count: encoder.batch - part.count)
        let found = try encoder.moments(try set.images(part + padding))
        for (picture, numbers) in zip(part, found) { moments[picture] = numbers.map { Float16($0) } }
        done += part.count
        reporter.progress(.encode, "pictures", done: done, of: set.images.count)
      }
    }
    reporter.end(.encode, "pictures")
    return moments
  }
}
