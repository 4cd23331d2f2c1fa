import Foundation
import MoscFormats
import MoscIR

/// An upscaling network in a file of its own: its sizes are read off its tensors.
package struct UpscalerModel: Sendable {
  package let url: URL
  /// The weights.
  package let file: any WeightSource
  package let config: UpscalerConfig
  private let table: WeightTable

  /// The name of the declaration of the file in the IR.
  package static let source = "upscaler"

  /// Opens a network of ESRGAN in the naming of BasicSR, of the first release, or of BSRGAN, and checks all its
  /// tensors.
  ///
  /// - Throws: `FormatError` for the file and for other architectures, `Diagnostic` for tensors that do not make the
  ///   network.
  package init(_ url: URL) throws {
    self.url = url
    let file = try WeightFile.open(url)
    self.file = file
    let names = UpscalerNames(file.names)
    config = try UpscalerConfig(names, path: url.path) { file.weight($0)?.shape }
    let tensors = names.own.compactMap { name in
      file.weight(name).map {
        (name, StoredTensor(dtype: $0.dtype, shape: $0.shape, source: Self.source))
      }
    }
    table = WeightTable(
      Dictionary(uniqueKeysWithValues: tensors),
      declarations: [WeightsDeclaration(name: Self.source, path: url.path)],
      spellings: names.spellings(config))
    var recording = NetworkWeights(recording: Self.source)
    _ = try Upscaler(config).graph(height: config.unshuffle, width: config.unshuffle, &recording)
    try table.check(recording.requests)
  }

  /// The IR for a batch of pictures of a size in pixels.
  package func module(batch: Int = 1, height: Int, width: Int) throws -> Module {
    var weights = NetworkWeights(table)
    let graph = try Upscaler(config).graph(batch: batch, height: height, width: width, &weights)
    return Module(weights: table.declarations, graphs: [graph])
  }
}

/// How a file calls the layers of RRDBNet.
struct UpscalerNames {
  enum Style {
    /// `body.0.rdb1.conv1`.
    case basicSR
    /// `model.1.sub.0.RDB1.conv1.0`, numbered through.
    case first
    /// `RRDB_trunk.0.RDB1.conv1`.
    case trunk
  }

  /// nil for another architecture.
  let style: Style?
  /// What stands before all names: training frameworks keep averaged weights beside others.
  let prefix: String
  /// The names of the network, with the prefix.
  let own: [String]
  /// The last number of the first release's layers.
  private let last: Int

  init(_ names: [String]) {
    let prefix = ["params_ema.", "params.", "module.", ""].first { start in names.contains { $0.hasPrefix(start) } } ?? ""
    self.prefix = prefix
    own = names.filter { $0.hasPrefix(prefix) }
    let bare = Set(own.map { String($0.dropFirst(prefix.count)) })
    let marks: [(Style, String)] = [
      (.basicSR, "body.0.rdb1.conv1.weight"), (.first, "model.1.sub.0.RDB1.conv1.0.weight"),
      (.trunk, "RRDB_trunk.0.RDB1.conv1.weight"),
    ]
    style = marks.first { bare.contains($0.1) }?.0
    last = bare.compactMap { name -> Int? in
      let parts = name.split(separator: ".")
      return parts.count == 3 && parts[0] == "model" && parts[2] == "weight" ? Int(parts[1]) : nil
    }.max() ?? 0
  }

  /// How often the picture is doubled; nil for layers that are numbered otherwise.
  var doublings: Int? {
    switch style {
    case .basicSR: count("conv_up")
    case .trunk: count("upconv")
    case .first:
      // A doubling is an enlargement, a convolution, an activation.
      last >= 4 && (last - 4) % 3 == 0 ? (last - 4) / 3 : nil
    case nil: nil
    }
  }

  private func count(_ name: String) -> Int {
    (1...6).prefix { own.contains("\(prefix)\(name)\($0).weight") }.count
  }

  /// The number of residual blocks.
  var blocks: Int {
    let start = prefix + (style == .first ? "model.1.sub." : style == .trunk ? "RRDB_trunk." : "body.")
    let numbers = own.compactMap { name -> Int? in
      guard name.hasPrefix(start) else { return nil }
      let parts = name.dropFirst(start.count).split(separator: ".")
      return parts.count > 2 ? Int(parts[0]) : nil
    }
    // A number that no network has is as good as many too many.
    return min(numbers.max() ?? -1, 1 << 12) + 1
  }

  /// What the file has for BasicSR's name of a layer.
  func stored(_ layer: String, blocks: Int, doublings: Int) -> String {
    let parts = layer.split(separator: ".").map(String.init)
    switch style {
    case .first:
      if parts[0] == "body", parts.count == 4 {
        return "\(prefix)model.1.sub.\(parts[1]).\(parts[2].uppercased()).\(parts[3]).0"
      }
      let numbers = ["conv_first": 0, "conv_hr": 2 + 3 * doublings, "conv_last": 4 + 3 * doublings]
      if layer == "conv_body" { return "\(prefix)model.1.sub.\(blocks)" }
      let number = numbers[layer] ?? 3 * (Int(layer.dropFirst("conv_up".count)) ?? 1)
      return "\(prefix)model.\(number)"
    case .trunk:
      if parts[0] == "body", parts.count == 4 {
        return "\(prefix)RRDB_trunk.\(parts[1]).\(parts[2].uppercased()).\(parts[3])"
      }
      let names = ["conv_body": "trunk_conv", "conv_hr": "HRconv"]
      return prefix + (names[layer] ?? layer.replacing("conv_up", with: "upconv"))
    case .basicSR, nil: return prefix + layer
    }
  }

  func spellings(_ config: UpscalerConfig) -> [Spelling] {
    var layers = ["conv_first", "conv_body", "conv_hr", "conv_last"]
    layers += (0..<config.doublings).map { "conv_up\($0 + 1)" }
    for block in 0..<config.blocks {
      for part in 1...3 { layers += (1...5).map { "body.\(block).rdb\(part).conv\($0)" } }
    }
    return layers.map { layer in
      Spelling.prefix(
        "\(layer).", stored: stored(layer, blocks: config.blocks, doublings: config.doublings) + ".")
    }
  }
}

extension UpscalerConfig {
  /// Finds the sizes in the shapes of a network's tensors.
  ///
  /// - Throws: `FormatError` naming what it is instead, or the tensor that is missing or has an impossible shape.
  init(_ names: UpscalerNames, path: String, shape: (String) -> [Int]?) throws(FormatError) {
    guard names.style != nil, let doublings = names.doublings else {
      let family = TensorFamily(names.own, shape: shape).flatMap { $0 == .upscaler ? nil : $0.name }
      throw FormatError(
        path, nil,
        "is no upscaler that is known here, which are RRDBNet of ESRGAN and Real-ESRGAN: "
          + (family.map { "it is \($0)" } ?? "it has no tensor 'body.0.rdb1.conv1.weight' or the like"))
    }
    let blocks = names.blocks
    func sizes(_ layer: String) throws(FormatError) -> [Int] {
      let name = names.stored(layer, blocks: blocks, doublings: doublings) + ".weight"
      guard let found = shape(name), found.count == 4, found.allSatisfy({ 1...4096 ~= $0 }) else {
        throw FormatError(path, "tensor '\(name)'", "is missing or is no weight of a convolution")
      }
      return found
    }
    let (first, last) = (try sizes("conv_first"), try sizes("conv_last"))
    let growth = try sizes("body.0.rdb1.conv1")[0]
    guard let unshuffle = [1, 2, 4].first(where: { $0 * $0 * last[0] == first[1] }), [1, 3, 4].contains(last[0]),
      unshuffle <= 1 << doublings, 1...64 ~= blocks
    else {
      throw FormatError(
        path, nil,
        "reads \(first[1]) channels, gives \(last[0]) and has \(blocks) blocks; expected pictures of 1, 3 or 4 "
          + "channels, of pixels or of squares of 4 or 16, and up to 64 blocks")
    }
    self.init(
      channels: last[0], width: first[0], growth: growth, blocks: blocks, doublings: doublings, unshuffle: unshuffle)
  }
}
