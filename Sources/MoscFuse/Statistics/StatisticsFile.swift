import Foundation
import MoscEngine
import MoscFormats

/// The second moments of the inputs of layers, for one concept and stage.
struct ConceptMoments: Sendable {
  /// Layers that read the same inputs share a sum.
  var sums: [(layers: [String], sum: MomentSum)] = []
}

/// A file of moments: one f64 triangle per input, read layer by layer so that memory does not grow
/// with the number of concepts.
struct StatisticsFile: Sendable {
  private let file: SafetensorsFile
  private let tensors: [String: String]
  private let rows: [String: Int]
  private let widths: [String: Int]
  private let checksums: [String: String]
  /// What the file says of its tensors.
  let text: String

  /// Opens a file if it holds the statistics of that key; nil if it does not exist or is of others.
  ///
  /// - Parameter key: names everything that the statistics depend on.
  init?(_ url: URL, key: String) throws {
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    file = try SafetensorsFile(url)
    guard file.metadata["key"] == key else { return nil }
    text = file.metadata["moments"] ?? ""
    var (tensors, rows, widths) = ([String: String](), [String: Int](), [String: Int]())
    var checksums: [String: String] = [:]
    for member in try JSONValue.parse(Array(text.utf8), path: url.path).members ?? [] {
      guard let layers = member.value["layers"]?.array?.compactMap(\.string),
        let count = member.value["rows"]?.int, let width = member.value["width"]?.int,
        let checksum = member.value["sha256"]?.string,
        1..<1 << 31 ~= width, file[member.key]?.shape == [MomentSum.count(width)]
      else {
        throw FormatError(
          url.path, "tensor \"\(member.key)\"", "is not the triangle that the metadata describes")
      }
      for layer in layers { tensors[layer] = member.key }
      (rows[member.key], widths[member.key]) = (count, width)
      checksums[member.key] = checksum
    }
    (self.tensors, self.rows, self.widths) = (tensors, rows, widths)
    self.checksums = checksums
  }

  /// Writes moments, all or nothing.
  static func write(_ moments: ConceptMoments, key: String, to url: URL) throws {
    var members: [JSONValue.Member] = []
    for (index, (layers, sum)) in moments.sums.enumerated() {
      members.append(
        JSONValue.Member(
          "moments.\(index)",
          .object([
            JSONValue.Member("layers", .array(layers.map { .string($0) })),
            JSONValue.Member("rows", .int(sum.rows)), JSONValue.Member("width", .int(sum.width)),
            JSONValue.Member(
              "sha256", .string(sum.values.withUnsafeBytes { FileHash.sha256($0) })),
          ])))
    }
    let entries = moments.sums.enumerated().map { index, entry in
      ("moments.\(index)", ElementType.f64, [entry.sum.values.count])
    }
    try SafetensorsFile.write(
      entries,
      metadata: [
        "mosc": Version.text, "key": key, "moments": JSONValue.object(members).description,
      ], to: url
    ) { index in
      moments.sums[index].sum.values.withUnsafeBytes { Array($0) }
    }
  }

  /// Whether the inputs of a layer were measured.
  func holds(_ layer: FusionLayer) -> Bool { tensors[layer.id] != nil }

  /// What layers that read the same inputs have in common; nil for a layer that was not measured.
  func inputs(of layer: FusionLayer) -> String? { tensors[layer.id] }

  /// The bytes of a tensor, as another file can have them.
  func bytes(of name: String) throws -> [UInt8] {
    guard let entry = file[name] else { throw FormatError(file.url.path, "tensor \"\(name)\"", "is not there") }
    defer { file.dropPages(of: entry) }
    return Array(try checked(entry, name))
  }

  private func checked(_ entry: SafetensorsFile.Entry, _ name: String) throws -> UnsafeRawBufferPointer {
    let bytes = file.bytes(of: entry)
    guard FileHash.sha256(bytes) == checksums[name] else {
      throw FormatError(
        file.url.path, "tensor \"\(name)\"",
        "is damaged: it does not have the checksum it was written with; remove the file")
    }
    return bytes
  }

  /// `Σ xᵀ x` of a layer's inputs and their number; nil for a layer that was not measured.
  func moments(_ layer: FusionLayer) throws -> (gram: Matrix, rows: Int)? {
    guard let name = tensors[layer.id], let entry = file[name], let width = widths[name] else {
      return nil
    }
    guard width == layer.depth else {
      throw FormatError(
        file.url.path, "tensor \"\(name)\"",
        "is for \(width) channels, the layer '\(layer.id)' reads \(layer.depth)")
    }
    // The writer starts tensors at multiples of eight bytes; other files are copied.
    let bytes = try checked(entry, name)
    let isAligned = Int(bitPattern: bytes.baseAddress) % MemoryLayout<Double>.alignment == 0
    let gram = isAligned
      ? MomentSum.matrix(bytes.bindMemory(to: Double.self), width: width)
      : MomentSum(width: width, rows: 0, values: try file.array(name).doubles).matrix
    file.dropPages(of: entry)
    // A number that is not finite makes every sum it is in one, too.
    guard gram.norm.isFinite else {
      throw FormatError(
        file.url.path, "tensor \"\(name)\"",
        "holds \(gram.values.first { !$0.isFinite } ?? .infinity), expected numbers")
    }
    return (gram, rows[name] ?? 0)
  }
}
