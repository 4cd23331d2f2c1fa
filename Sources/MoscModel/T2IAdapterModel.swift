import Foundation
import MoscFormats
import MoscIR

/// A T2I-Adapter in a file of its own: its sizes are read off its tensors.
package struct T2IAdapterModel: Sendable {
  package let url: URL
  /// The weights.
  package let file: any WeightSource
  package let config: T2IAdapterConfig

  /// Opens an adapter in diffusers' or the original naming, and checks all its tensors.
  ///
  /// - Throws: `FormatError` for the file, `Diagnostic` for tensors that do not make an adapter.
  package init(_ url: URL) throws {
    self.url = url
    let file = try WeightFile.open(url)
    self.file = file
    let shapes = file.names.compactMap { name in file.weight(name).map { (name, $0.shape) } }
    config = try T2IAdapterConfig(Dictionary(uniqueKeysWithValues: shapes), path: url.path)
    var recording = NetworkWeights(recording: Self.source)
    let side = T2IAdapterConfig.unshuffle
    _ = try network.graph(height: side, width: side, &recording)
    try table.check(recording.requests)
  }

  /// The name of the declaration of the file in the IR.
  package static let source = "t2i_adapter"

  /// The network.
  package var network: T2IAdapter { T2IAdapter(config) }

  /// The IR for a batch of condition images of a size in pixels.
  package func module(batch: Int = 1, height: Int, width: Int) throws -> Module {
    let table = table
    var weights = NetworkWeights(table)
    let graph = try network.graph(batch: batch, height: height, width: width, &weights)
    return Module(weights: table.declarations, graphs: [graph])
  }

  private var table: WeightTable {
    let tensors = file.names.compactMap { name in
      file.weight(name).map {
        (name, StoredTensor(dtype: $0.dtype, shape: $0.shape, source: Self.source))
      }
    }
    return WeightTable(
      Dictionary(uniqueKeysWithValues: tensors),
      declarations: [WeightsDeclaration(name: Self.source, path: url.path)],
      spellings: network.spellings)
  }
}

extension T2IAdapterConfig {
  /// What a file is instead, and what takes it.
  private static func other(_ family: TensorFamily) -> String {
    let option: [TensorFamily: String] = [
      .controlNet: "--control and --control-image", .lora: "--lora", .concept: "--lora",
      .textualInversion: "--lora", .stableDiffusion1: "-m", .vae: "--vae",
    ]
    return "it is \(family.name)" + (option[family].map { "; give it with \($0)" } ?? "")
  }

  /// Finds the sizes in the shapes of an adapter's tensors.
  ///
  /// - Throws: `FormatError` naming the tensor that is missing or has an impossible shape.
  package init(_ shapes: [String: [Int]], path: String) throws(FormatError) {
    let isDiffusers = shapes["adapter.conv_in.weight"] != nil
    let prefix = isDiffusers ? "adapter." : ""
    let first = "\(prefix)conv_in.weight"
    guard let entry = shapes[first] else {
      throw FormatError(
        path, nil,
        "is not a T2I-Adapter: "
          + (TensorFamily(Array(shapes.keys), shape: { shapes[$0] }).map(Self.other)
            ?? "it has neither 'adapter.conv_in.weight' nor 'conv_in.weight'"))
    }
    let square = Self.unshuffle * Self.unshuffle
    guard entry.count == 4, [1, 3, 4].contains(entry[1] / square), entry[1] % square == 0 else {
      throw FormatError(
        path, "tensor '\(first)'",
        "has shape \(entry), expected [width, \(square) times the 1, 3 or 4 channels of an image, "
          + "3, 3]")
    }
    func numbers(_ start: String) -> Int {
      let found = shapes.keys.compactMap { name -> Int? in
        guard name.hasPrefix(start) else { return nil }
        return Int(name.dropFirst(start.count).prefix { $0 != "." })
      }
      // A number that no adapter has is as good as many too many.
      return min(found.max() ?? -1, 1 << 20) + 1
    }
    let bodies = numbers("\(prefix)body.")
    // The original numbers the blocks of all four levels in one row.
    let levels = isDiffusers ? bodies : 4
    let blocks = isDiffusers ? numbers("adapter.body.0.resnets.") : bodies / 4
    guard 1...8 ~= levels, 1...16 ~= blocks, isDiffusers || bodies % 4 == 0 else {
      throw FormatError(
        path, "tensors '\(prefix)body.…'",
        "found \(bodies) \(isDiffusers ? "levels" : "blocks"), expected "
          + (isDiffusers ? "1…8 levels with residual blocks" : "a multiple of 4"))
    }
    var widths: [Int] = []
    var convolves: [Bool] = []
    for level in 0..<levels {
      let name =
        isDiffusers
        ? "adapter.body.\(level).resnets.0.block1.weight" : "body.\(level * blocks).block1.weight"
      guard let shape = shapes[name], let width = shape.first, width > 0 else {
        throw FormatError(path, "tensor '\(name)'", "is missing or has no width")
      }
      widths.append(width)
      let entrance = isDiffusers ? level : level * blocks
      convolves.append(shapes["\(prefix)body.\(entrance).in_conv.weight"] != nil)
    }
    self.init(
      imageChannels: entry[1] / square, widths: widths, blocksPerLevel: blocks,
      hasInputConvolution: convolves)
  }
}
