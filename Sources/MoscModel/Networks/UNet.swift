import MoscIR

/// The denoising network: predicts the noise in latents at a timestep under text states.
///
/// Function `@unet(%sample f32[n,h,w,c], %timestep f32[n], %encoder_hidden_states) -> noise_pred
/// f32[n,h,w,c]`; the text states are `f32[n,m,e]`, or `f32[n,l,m,e]` with one prompt per
/// cross-attention layer, counted through the down blocks, the mid block and the up blocks. Any
/// height, width, batch and number of text tokens. With an adapter, `%adapter.k f32[n,hₖ,wₖ,cₖ]` is
/// added to the output of the last layer of down block k, before it becomes a skip. With control,
/// `%control.k` is added to skip k in the order in which they are made, `%control.mid` to the output of
/// the mid block.
///
/// With regions there is an axis of contexts before the tokens, `[n,r,m,e]` or `[n,l,r,m,e]`, the
/// prompt of the whole picture first; and `%coverage.HxW f32[r,h·w]` for every resolution with
/// cross-attention says which context a pixel listens to (`RegionalAttention`). Regional adapters
/// (`RegionalAdapters`) add `%gate.HxW f32[h·w,slots]`, which says where they act, and
/// `%gate.contexts f32[r·m,slots]`, which contexts have them. Source: diffusers `UNet2DConditionModel`.
package struct UNet: Sendable {
  package var config: UNetConfig

  package init(_ config: UNetConfig) { self.config = config }

  /// The sizes a function is built for.
  package struct Shape: Hashable, Sendable {
    package var batch: Int
    /// Height and width of the latents.
    package var height: Int
    package var width: Int
    /// The number of text tokens.
    package var tokens: Int
    /// Whether every cross-attention layer has a prompt of its own.
    package var isLayerwise: Bool
    /// Whether the maps of a T2I-Adapter are added on the way down.
    package var hasAdapter = false
    /// Whether the step leaves deep features, or takes them; nil for neither.
    package var reuse: Reuse?
    /// Whether what ControlNets give is added to the skips and the middle.
    package var hasControl = false
    /// The number of regions with a prompt of their own, beside the prompt of the whole picture.
    package var regions: Int
    /// The directions in which pictures have no edges.
    package var seamless: Seamless?
    /// Whether results say what regions' words attend to and where regional adapters act.
    package var measuresRegions = false

    package init(
      batch: Int = 1, height: Int, width: Int, tokens: Int = 77, isLayerwise: Bool = false,
      regions: Int = 0
    ) {
      self.batch = batch
      self.height = height
      self.width = width
      self.tokens = tokens
      self.isLayerwise = isLayerwise
      self.regions = regions
    }
  }

  /// The IR of the network for given sizes.
  ///
  /// - Errors: those of `NetworkWeights.weight`; `model.size` for a size below one.
  package func graph(_ shape: Shape, _ weights: inout NetworkWeights) throws(Diagnostic) -> Graph {
    try expectPositive(
      ("batch", shape.batch), ("height", shape.height), ("width", shape.width),
      ("tokens", shape.tokens))
    var b = ModelBuilder(ComponentKind.unet.rawValue, weights)
    let sample = b.graph.parameter(
      "sample", .f32(shape.batch, shape.height, shape.width, config.inChannels))
    let timestep = b.graph.parameter("timestep", .f32(shape.batch))
    let layered = shape.isLayerwise ? [config.crossAttentionLayers] : []
    let regional = shape.regions > 0 ? [shape.regions + 1] : []
    let states = b.graph.parameter(
      "encoder_hidden_states",
      TensorType(.f32, [shape.batch] + layered + regional + [shape.tokens, config.contextWidth]),
      rate: .prompt)

    if shape.measuresRegions, shape.regions > 0 { b.measureRegions() }
    let x = try denoise(sample, timestep: timestep, states: states, shape, in: &b)
    if shape.measuresRegions {
      let measured = try b.regionMeasures()
      let deep = shape.reuse?.isShallow == false ? b.deepFeature.map { [(Reuse.feature, $0)] } ?? [] : []
      return b.finish([("noise_pred", x)] + deep + measured, &weights)
    }
    if let deep = b.deepFeature, shape.reuse?.isShallow == false {
      return b.finish(["noise_pred": x, Reuse.feature: deep], &weights)
    }
    return b.finish(["noise_pred": x], &weights)
  }

  /// Appends the network over given inputs: the prediction `[n,h,w,c]`.
  ///
  /// - Parameter control: what a ControlNet of the same function gives; nil to read it from inputs, if the
  ///   shape has control.
  package func denoise(
    _ sample: ValueID, timestep: ValueID, states: ValueID, _ shape: Shape, control: [ValueID]? = nil,
    in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    b.seamless = shape.seamless
    defer { b.seamless = nil }
    let embedding = try timeEmbedding(timestep, in: &b)
    if let depth = shape.reuse?.depth, !(1..<config.skipCount ~= depth) {
      throw Diagnostic(
        "model.reuse", "depth \(depth), expected 1 to \(config.skipCount - 1): the U-Net has "
          + "\(config.skipCount) skips")
    }
    var cut = ReuseCut(reuse: shape.reuse, skips: config.skipCount)
    var contexts = LayerContexts(states, isLayerwise: shape.isLayerwise)
    if shape.regions > 0 {
      b.gateRegions(config.resolutions(height: shape.height, width: shape.width))
      for (height, width) in config.attentionResolutions(height: shape.height, width: shape.width) {
        contexts.coverage[height * width] = b.graph.parameter(
          Self.coverageName(height, width), .f32(shape.regions + 1, height * width))
      }
    }
    var x = try b.conv(
      sample, "conv_in", out: config.widths.first ?? 0, kernel: config.convInKernel)
    var skips = [x]
    for level in config.widths.indices {
      x = try down(
        x, level, embedding, &contexts, &skips, limit: cut.limit, hasAdapter: shape.hasAdapter, in: &b)
    }
    if cut.isShallow {
      contexts.skip(config.hasMidBlock ? config.transformerLayers.last ?? 0 : 0)
    } else if config.hasMidBlock {
      x = try mid(x, embedding, &contexts, in: &b)
    }
    if shape.hasControl {
      try add(control, toSkips: &skips, in: &b)
      // A feature that was kept already has what is added to the middle.
      if !cut.isShallow { x = try add(control, toMiddle: x, in: &b) }
    }
    for level in config.widths.indices.reversed() {
      x = try up(x, level, embedding, &contexts, &skips, &cut, in: &b)
    }
    x = try b.groupNorm(x, "conv_norm_out", groups: config.groups, eps: config.eps)
    x = try b.graph.silu(x, name: "conv_act")
    return try b.conv(x, "conv_out", out: config.outChannels, kernel: config.convOutKernel)
  }

  /// The number of regions that a program is built for: 0, 2, 4, 8, or a multiple of 8. More regions
  /// in the same bucket run the same code; those that are not there cover nothing.
  package static func bucket(regions: Int) -> Int {
    if regions == 0 { return 0 }
    return regions <= 8 ? max(2, RegionalAdapters.bucket(regions)) : (regions + 7) / 8 * 8
  }

  /// The name of the coverage of a resolution.
  package static func coverageName(_ height: Int, _ width: Int) -> String {
    "coverage.\(height)x\(width)"
  }

  /// `silu(W₂·silu(W₁·(sinusoids(t) + W₀·g)))` `[n,e]`: every residual block activates it before its own
  /// projection, so that is done once. `g` is the parameter `%timestep_cond` of a model that was
  /// distilled for any guidance (`GuidanceEmbedding`), and absent in others.
  func timeEmbedding(
    _ timestep: ValueID, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let dim = config.widths.first ?? 0
    var sinusoids = try b.graph.timestepEmbedding(
      timestep, dim: dim, flipSinToCos: config.flipSinToCos,
      shift: config.frequencyShift, name: "time_proj")
    if let width = config.guidanceWidth {
      let guidance = b.graph.parameter(
        GuidanceEmbedding.input, .f32(b.type(timestep).shape[0], width), rate: .prompt)
      let added = try b.linear(guidance, "time_embedding.cond_proj", out: dim, bias: false)
      sinusoids = try b.graph.add(sinusoids, added, name: "time_embedding.conditioned")
    }
    var h = try b.linear(sinusoids, "time_embedding.linear_1", out: config.embeddingWidth)
    h = try b.graph.silu(h, name: "time_embedding.act")
    h = try b.linear(h, "time_embedding.linear_2", out: config.embeddingWidth)
    return try b.graph.silu(h, name: "time_embedding.activated")
  }

  /// A level on the way down; every layer's output and the halved image become skips, as long as
  /// there are fewer than the limit.
  func down(
    _ x: ValueID, _ level: Int, _ embedding: ValueID, _ contexts: inout LayerContexts,
    _ skips: inout [ValueID], limit: Int, hasAdapter: Bool, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let path = "down_blocks.\(level)"
    var x = x
    for i in 0..<config.layersPerBlock[level] {
      if skips.count == limit {
        if config.downBlocks[level] == .attention { contexts.skip(config.transformerLayers[level]) }
        continue
      }
      x = try resnet(level)(x, embedding: embedding, "\(path).resnets.\(i)", in: &b)
      if config.downBlocks[level] == .attention {
        x = try attend(x, level, "\(path).attentions.\(i)", &contexts, in: &b)
      }
      if hasAdapter, i == config.layersPerBlock[level] - 1 {
        let map = b.graph.parameter("adapter.\(level)", b.type(x), rate: .prompt)
        x = try b.graph.add(x, map, name: "\(path).adapted")
      }
      skips.append(x)
    }
    if level < config.widths.count - 1, skips.count < limit {
      x = try b.downsample(x, "\(path).downsamplers.0")
      skips.append(x)
    }
    return x
  }

  func mid(
    _ x: ValueID, _ embedding: ValueID, _ contexts: inout LayerContexts, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let level = config.widths.count - 1
    var x = try resnet(level)(x, embedding: embedding, "mid_block.resnets.0", in: &b)
    x = try attend(x, level, "mid_block.attentions.0", &contexts, in: &b)
    return try resnet(level)(x, embedding: embedding, "mid_block.resnets.1", in: &b)
  }

  /// A level on the way up: each layer reads the image so far next to the latest skip.
  private func up(
    _ x: ValueID, _ level: Int, _ embedding: ValueID, _ contexts: inout LayerContexts,
    _ skips: inout [ValueID], _ cut: inout ReuseCut, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let index = config.widths.count - 1 - level
    let path = "up_blocks.\(index)"
    var x = x
    for i in 0...config.layersPerBlock[level] {
      defer { cut.skips -= 1 }
      if cut.leavesLayer {
        if config.upBlocks[index] == .attention { contexts.skip(config.transformerLayers[level]) }
        continue
      }
      guard let skip = skips.popLast() else { throw unbalanced() }
      if cut.isEntrance { x = deepFeature(x, level, i, beside: skip, cut, in: &b) }
      x = try b.graph.concat([x, skip], axis: 3, name: "\(path).joined.\(i)")
      x = try resnet(level)(x, embedding: embedding, "\(path).resnets.\(i)", in: &b)
      if config.upBlocks[index] == .attention {
        x = try attend(x, level, "\(path).attentions.\(i)", &contexts, in: &b)
      }
    }
    if level > 0, !cut.leavesBefore {
      // An odd size was rounded up on the way down: the next skip knows it.
      guard let next = skips.last else { throw unbalanced() }
      let size = b.type(next).shape
      x = try b.upsample(x, height: size[1], width: size[2], "\(path).upsamplers.0")
    }
    return x
  }

  /// What enters an up layer: kept for later steps, or taken from an earlier one.
  private func deepFeature(
    _ x: ValueID, _ level: Int, _ layer: Int, beside skip: ValueID, _ cut: ReuseCut,
    in b: inout ModelBuilder
  ) -> ValueID {
    var feature = x
    if cut.isShallow {
      let coarser = config.widths[min(level + 1, config.widths.count - 1)]
      var shape = b.type(skip).shape
      shape[3] = layer == 0 ? coarser : config.widths[level]
      feature = b.graph.parameter(Reuse.feature, TensorType(.f32, shape))
    }
    b.deepFeature = feature
    return feature
  }

  private func resnet(_ level: Int) -> ResnetBlock {
    ResnetBlock(out: config.widths[level], groups: config.groups, eps: config.eps)
  }

  private func attend(
    _ x: ValueID, _ level: Int, _ path: String, _ contexts: inout LayerContexts,
    in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let transformer = SpatialTransformer(
      heads: config.heads[level], groups: config.groups,
      usesLinearProjection: config.usesLinearProjection)
    let own = try contexts.next(config.transformerLayers[level], in: &b)
    let shape = b.type(x).shape
    return try transformer(
      x, contexts: own, coverage: contexts.coverage[shape[1] * shape[2]], path, in: &b)
  }

  private func unbalanced() -> Diagnostic {
    Diagnostic("model.skips", "the up blocks take more skips than the down blocks make")
  }
}

/// Hands each cross-attention layer its text states, in traversal order.
struct LayerContexts {
  /// The coverage of contexts by number of pixels; empty without regions.
  var coverage: [Int: ValueID] = [:]
  private let states: ValueID
  private let isLayerwise: Bool
  private var layer = 0

  init(_ states: ValueID, isLayerwise: Bool) {
    self.states = states
    self.isLayerwise = isLayerwise
  }

  /// Passes over the next few layers.
  mutating func skip(_ count: Int) { layer += count }

  /// The states `[n,m,e]`, or `[n,r,m,e]`, of the next few layers.
  mutating func next(_ count: Int, in b: inout ModelBuilder) throws(Diagnostic) -> [ValueID] {
    defer { layer += count }
    guard isLayerwise else { return [ValueID](repeating: states, count: count) }
    let shape = b.type(states).shape
    var result: [ValueID] = []
    for l in layer..<layer + count {
      let slice = try b.graph.slice(states, axis: 1, from: l, to: l + 1)
      let name = "encoder_hidden_states.layer\(l)"
      result.append(
        try b.graph.reshape(slice, to: [shape[0]] + shape.dropFirst(2), name: name))
    }
    return result
  }
}

/// Refuses sizes below one, and sizes whose product no memory can hold.
func expectPositive(_ sizes: (name: String, value: Int)...) throws(Diagnostic) {
  var product = 1
  for size in sizes {
    guard size.value >= 1 else {
      throw Diagnostic("model.size", "\(size.name) is \(size.value), expected at least 1")
    }
    let (next, overflow) = product.multipliedReportingOverflow(by: size.value)
    guard !overflow, next <= 1 << 36 else {
      throw Diagnostic("model.size", "\(size.name) \(size.value) is too large")
    }
    product = next
  }
}
