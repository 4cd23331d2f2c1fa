import Foundation
import MoscFormats

/// A tiny autoencoder in files of its own: one file for both halves, in diffusers' names or in those of
/// the original release, or a file for each half (`taesd_decoder.…`, `taesd_encoder.…`).
///
/// The original numbers the decoder's layers from a clamp on, which diffusers does not count; its files
/// of one half name no half.
struct TinyAutoencoderLayout: ModelLayout {
  let url: URL
  private let sources: [any WeightSource]
  private let shapes: TinyAutoencoderShapes
  private let isDiffusers: Bool

  /// Opens a file, and the other half beside it.
  init(_ url: URL) throws {
    self.url = url
    let source = try WeightFile.open(url)
    isDiffusers = source.names.contains { $0.contains("coder.layers.") }
    guard source.names.contains(where: { $0.first?.isNumber == true }) else {
      sources = [source]
      shapes = try TinyAutoencoderShapes(sources, isDiffusers: isDiffusers)
      return
    }
    var halves: [any WeightSource] = [Self.half(source)]
    if let other = Self.otherHalf(of: url) { halves.append(Self.half(try WeightFile.open(other))) }
    sources = halves
    shapes = try TinyAutoencoderShapes(sources, isDiffusers: false)
  }

  /// A file of one half under the names that a file of both has: only the decoder begins with a layer
  /// without tensors.
  private static func half(_ source: any WeightSource) -> any WeightSource {
    PrefixedWeights(source, source.weight("0.weight") == nil ? "decoder." : "encoder.")
  }

  /// `taesd_encoder.pth` beside `taesd_decoder.pth`, or the other way round, if it is there.
  private static func otherHalf(of url: URL) -> URL? {
    let name = url.lastPathComponent
    for (one, other) in [("decoder", "encoder"), ("encoder", "decoder")] {
      guard let range = name.range(of: one, options: .backwards) else { continue }
      let file = url.deletingLastPathComponent()
        .appending(path: name.replacingCharacters(in: range, with: other))
      return FileManager.default.fileExists(atPath: file.path) ? file : nil
    }
    return nil
  }

  func config(_ component: DiffusersModel.Component) throws -> JSONObject {
    guard component == .vae else {
      throw FormatError(url.path, nil, "is an autoencoder and has no \(component.rawValue)")
    }
    return JSONObject(path: url.path, members: shapes.members)
  }

  func files(_ component: DiffusersModel.Component) throws -> ComponentFiles {
    var spellings: [Spelling] = []
    if !isDiffusers {
      for layer in 0..<shapes.layers {
        spellings.append(.prefix("encoder.layers.\(layer).", stored: "encoder.\(layer)."))
        spellings.append(.prefix("decoder.layers.\(layer).", stored: "decoder.\(layer + 1)."))
      }
    }
    return ComponentFiles(component: component.rawValue, files: sources, spellings: spellings)
  }

  func schedulerConfig() throws -> JSONObject? { nil }
  func defaults() throws -> JSONObject? { nil }
  func conceptWords() throws -> JSONObject? { nil }
  func learntWords() throws -> JSONObject? { nil }
  func tokenizerFolder() throws -> URL {
    throw FormatError(url.path, nil, "is an autoencoder and has no tokenizer")
  }
}

/// The sizes of a tiny autoencoder, read off the shapes of its tensors.
private struct TinyAutoencoderShapes {
  /// The keys of the `config.json` that diffusers would have.
  let members: [JSONValue.Member]
  /// No half has more layers.
  let layers: Int

  /// A layer with tensors.
  private struct Layer {
    var number: Int
    /// `[out, in]` of a convolution; nil for a residual block.
    var widths: [Int]?
  }

  init(_ sources: [any WeightSource], isDiffusers: Bool) throws(FormatError) {
    let path = sources.map(\.place).joined(separator: ", ")
    let encoder = Self.layers("encoder." + (isDiffusers ? "layers." : ""), sources)
    let decoder = Self.layers("decoder." + (isDiffusers ? "layers." : ""), sources)
    guard let first = decoder.first?.widths, let last = decoder.last?.widths else {
      throw FormatError(
        path, nil, "holds no decoder of a tiny autoencoder: expected tensors such as "
          + "decoder.layers.2.conv.0.weight, or 3.conv.0.weight in a file of the decoder alone")
    }
    layers = max(encoder.last?.number ?? 0, decoder.last?.number ?? 0) + 1
    var decoderWidths: [Int] = []
    var decoderBlocks: [Int] = []
    var blocks = 0
    for layer in decoder.dropFirst() {
      guard let widths = layer.widths else {
        blocks += 1
        continue
      }
      decoderWidths.append(widths[1])
      decoderBlocks.append(blocks)
      blocks = 0
    }
    var encoderWidths: [Int] = []
    var encoderBlocks: [Int] = []
    for layer in encoder.dropLast() {
      if let widths = layer.widths {
        encoderWidths.append(widths[0])
        encoderBlocks.append(0)
      } else if !encoderBlocks.isEmpty {
        encoderBlocks[encoderBlocks.count - 1] += 1
      }
    }
    let config = TinyAutoencoderConfig(
      encoderWidths: encoderWidths, encoderBlocks: encoderBlocks, decoderWidths: decoderWidths,
      decoderBlocks: decoderBlocks)
    members = config.members(
      latentChannels: first[1], inChannels: encoder.first?.widths?[1] ?? last[0], outChannels: last[0])
  }

  /// The layers with tensors whose names begin so, in order.
  private static func layers(_ prefix: String, _ sources: [any WeightSource]) -> [Layer] {
    var found: [Int: Layer] = [:]
    for source in sources {
      for name in source.names where name.hasPrefix(prefix) && name.hasSuffix("weight") {
        let rest = name.dropFirst(prefix.count)
        // A number that no autoencoder has is as good as none.
        guard let number = Int(rest.prefix { $0 != "." }), 0..<1000 ~= number else { continue }
        let shape = source.weight(name)?.shape ?? []
        let isConvolution = rest.dropFirst("\(number).".count) == "weight" && shape.count == 4
        found[number] = Layer(number: number, widths: isConvolution ? Array(shape[..<2]) : nil)
      }
    }
    return found.values.sorted { $0.number < $1.number }
  }
}

/// The tensors of a source under names with something before them.
struct PrefixedWeights: WeightSource {
  private let base: any WeightSource
  private let prefix: String

  init(_ base: any WeightSource, _ prefix: String) { (self.base, self.prefix) = (base, prefix) }

  var place: String { base.place }
  var identity: String? { base.identity.map { "\($0) as \(prefix)" } }
  var isUnchanged: Bool { base.isUnchanged }
  var names: [String] { base.names.map { prefix + $0 } }

  func weight(_ name: String) -> WeightTensor? {
    name.hasPrefix(prefix) ? base.weight(String(name.dropFirst(prefix.count))) : nil
  }

  func dropPages(of name: String) {
    if name.hasPrefix(prefix) { base.dropPages(of: String(name.dropFirst(prefix.count))) }
  }
}
