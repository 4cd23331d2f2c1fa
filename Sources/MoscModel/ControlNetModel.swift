import Foundation
import MoscFormats
import MoscIR

/// A ControlNet for a U-Net, in a folder as diffusers saves it or in one file: under diffusers' names, or
/// under those of the original code.
package struct ControlNetModel: Sendable {
  package let url: URL
  package let network: ControlNet
  /// Whether the order of colours is blue, green, red.
  package let isBGR: Bool
  /// All its tensors, under diffusers' names.
  package let part: PartWeights

  /// What the original code puts before the names of a ControlNet.
  private static let prefix = "control_model."
  private static let hint = ControlNet.hintPath

  /// Opens a ControlNet and checks all its tensors.
  ///
  /// - Throws: `FormatError` for a file that is something else or made for another base, `Diagnostic` for
  ///   tensors that do not fit.
  package init(_ url: URL, for unet: UNetConfig) throws {
    self.url = url
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw FormatError(url.path, nil, "there is no such ControlNet file or folder")
    }
    let urls =
      isFolder.boolValue
      ? try FolderLayout.weights(in: url, stem: "diffusion_pytorch_model", variant: nil) : [url]
    let sources = try urls.map { try WeightFile.open($0) }
    let prefix = sources.contains { $0.names.contains { $0.hasPrefix(Self.prefix) } } ? Self.prefix : ""
    var shapes: [String: [Int]] = [:]
    for source in sources {
      for name in source.names where name.hasPrefix(prefix) {
        shapes[String(name.dropFirst(prefix.count))] = source.weight(name)?.shape
      }
    }
    let isOriginal = shapes["input_hint_block.0.weight"] != nil
    guard isOriginal || shapes["\(Self.hint).conv_in.weight"] != nil else {
      throw FormatError(url.path, nil, Self.refusal(sources, shapes))
    }
    try Self.checkBase(shapes, isOriginal: isOriginal, unet, url.path)
    var network = try Self.network(shapes, isOriginal: isOriginal, unet, url.path)
    let config = url.appending(path: "config.json")
    var isBGR = false
    if isFolder.boolValue, FileManager.default.fileExists(atPath: config.path) {
      isBGR = try Self.read(try JSONObject(contentsOf: config), into: &network)
    }
    (self.network, self.isBGR) = (network, isBGR)
    let spellings = isOriginal ? Self.spellings(network, prefix: prefix) : []
    let files = ComponentFiles(
      component: ControlNet.name, files: sources, spellings: spellings, prefixes: [prefix])
    let table = WeightTable(
      try files.tensors(), declarations: files.declarations, spellings: spellings)
    let requests = try network.requests()
    try table.check(requests)
    part = PartWeights(files: files, table: table, requests: requests)
  }

  /// The IR for given sizes.
  package func module(_ shape: ControlNet.Shape) throws -> Module {
    var weights = NetworkWeights(part.table)
    let graph = try network.graph(shape, &weights)
    return Module(weights: part.table.declarations, graphs: [graph])
  }

  /// The shapes of the results by name.
  package func resultShapes(_ shape: ControlNet.Shape) throws -> [String: [Int]] {
    let graph = try module(shape).graphs[0]
    return Dictionary(
      zip(graph.resultNames, graph.results.map { graph.type($0).shape }), uniquingKeysWith: { first, _ in first })
  }

  /// The mapped files by the names of their declarations.
  package var weights: [String: any WeightSource] {
    Dictionary(
      zip(part.files.declarations.map(\.name), part.files.files), uniquingKeysWith: { first, _ in first })
  }

  // MARK: What the file is

  /// Why files are no ControlNet that can be read.
  private static func refusal(
    _ sources: [any WeightSource], _ shapes: [String: [Int]]
  ) -> String {
    if shapes["lora_controlnet"] != nil {
      return "is a Control-LoRA, which holds changes of a U-Net alone; give the ControlNet that it was made from"
    }
    if shapes.keys.contains(where: { $0.hasPrefix("controlnet_x_embedder.") || $0.hasPrefix("controlnet_blocks.") }) {
      return "is a ControlNet for a transformer such as Flux or Stable Diffusion 3; take one made for "
        + "Stable Diffusion 1.5"
    }
    let family = sources.first.flatMap { TensorFamily($0) }
    let what = family.map { "is \($0.name), not a ControlNet" }
      ?? "is not a ControlNet: it has neither '\(hint).conv_in.weight' nor 'input_hint_block.0.weight'"
    switch family {
    case .t2iAdapter?: return what + "; give it with --t2i-adapter and --t2i-image"
    case .lora?, .concept?, .textualInversion?: return what + "; give it with --lora"
    case .stableDiffusion1?: return what + "; give it with -m"
    default: return what
    }
  }

  /// Refuses a network that was made for another base than the U-Net.
  private static func checkBase(
    _ shapes: [String: [Int]], isOriginal: Bool, _ unet: UNetConfig, _ path: String
  ) throws(FormatError) {
    let context = shapes.first { $0.key.hasSuffix("attn2.to_k.weight") }?.value.last
    let entry = shapes[isOriginal ? "input_blocks.0.0.weight" : "conv_in.weight"]
    let bases = [768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"]
    if let context, context != unet.contextWidth {
      let made = bases[context].map { "made for \($0)" } ?? "made for text states of width \(context)"
      let wanted = bases[unet.contextWidth] ?? "text states of width \(unet.contextWidth)"
      throw FormatError(
        path, nil, "is a ControlNet \(made), the model reads \(wanted); take the one for this model's base")
    }
    guard let width = entry?.first, entry?.count == 4 else {
      throw FormatError(path, nil, "holds no complete ControlNet: its first convolution is missing")
    }
    guard width == unet.widths.first else {
      throw FormatError(
        path, nil,
        "is a ControlNet for a U-Net whose first level has \(width) channels, this model's has "
          + "\(unet.widths.first ?? 0); take the one for this model's base")
    }
  }

  /// The sizes that tensors tell.
  private static func network(
    _ shapes: [String: [Int]], isOriginal: Bool, _ unet: UNetConfig, _ path: String
  ) throws(FormatError) -> ControlNet {
    func tensor(_ index: Int) -> String {
      if isOriginal { return "input_hint_block.\(2 * index).weight" }
      return index == 0 ? "\(hint).conv_in.weight" : "\(hint).blocks.\(index - 1).weight"
    }
    var widths: [Int] = []
    // The first convolution, then the second of each pair.
    for index in stride(from: 0, through: 16, by: 2) {
      guard let shape = shapes[tensor(index)], shape.count == 4 else { break }
      // The last of the original's row has no pair: it leads into the U-Net.
      if isOriginal, index > 0, shapes[tensor(index + 1)] == nil { break }
      widths.append(shape[0])
    }
    guard widths.count > 1, let entry = shapes[tensor(0)], entry[1] > 0 else {
      throw FormatError(path, "tensor '\(tensor(0))'", "does not begin a row of convolutions that read an image")
    }
    var own = unet
    own.inChannels = shapes[isOriginal ? "input_blocks.0.0.weight" : "conv_in.weight"]?[1] ?? unet.inChannels
    return ControlNet(own, imageChannels: entry[1], hintWidths: widths)
  }

  /// Takes from a folder's `config.json` what tensors do not tell; whether colours are in reverse order.
  private static func read(_ object: JSONObject, into network: inout ControlNet) throws -> Bool {
    var reader = ConfigReader(object)
    try reader.expectClass("ControlNetModel")
    let levels = network.unet.widths.count
    network.unet.heads = try reader.intPerLevel("attention_head_dim", levels, default: 8)
    network.unet.groups = try reader.int("norm_num_groups", default: 32)
    network.unet.eps = try reader.double("norm_eps", default: 1e-5)
    network.unet.flipSinToCos = try reader.bool("flip_sin_to_cos", default: true)
    network.unet.frequencyShift = try reader.double("freq_shift", default: 0)
    network.poolsResults = try reader.bool("global_pool_conditions", default: false)
    try reader.require("act_fn", .string("silu"), or: .string("swish"))
    for key in ["class_embed_type", "addition_embed_type", "encoder_hid_dim", "num_attention_heads"] {
      try reader.require(key, .null)
    }
    return try reader.choice(
      "controlnet_conditioning_channel_order", [.string("rgb"): false, .string("bgr"): true],
      default: .string("rgb"))
  }

  /// The names of the original code for those of diffusers.
  private static func spellings(_ network: ControlNet, prefix: String) -> [Spelling] {
    var result: [Spelling] = []
    let convolutions = 2 * (network.hintWidths.count - 1)
    let names = ["conv_in"] + (0..<convolutions).map { "blocks.\($0)" } + ["conv_out"]
    for (index, name) in names.enumerated() {
      result.append(
        .prefix("\(hint).\(name).", stored: "\(prefix)input_hint_block.\(2 * index)."))
    }
    for index in 0..<network.results - 1 {
      result.append(
        .prefix("controlnet_down_blocks.\(index).", stored: "\(prefix)zero_convs.\(index).0."))
    }
    result.append(.prefix("controlnet_mid_block.", stored: "\(prefix)middle_block_out.0."))
    return result + [.ldm(LDMNames(network.unet), prefix: prefix)]
  }
}
