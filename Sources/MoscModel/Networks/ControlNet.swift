import MoscIR

/// A copy of the way down of a U-Net that reads a condition image, too, and gives what is added to the
/// skips of the U-Net and to its middle.
///
/// Function `@control_net(%sample f32[n,h,w,c], %timestep f32[n], %encoder_hidden_states, %image
/// f32[1,8h,8w,i], %strength f32[k+1]) -> control.0 … control.k-1, control.mid`: image in 0…1, text states
/// `f32[n,m,e]` or `f32[n,l,m,e]` as the U-Net reads them, of which the first layers count; every result is
/// multiplied by its strength. Source: Zhang et al. 2023; diffusers `ControlNetModel`.
package struct ControlNet: Sendable {
  /// The way down, as that of the U-Net it is for.
  package var unet: UNetConfig
  package var imageChannels = 3
  /// The channels of the convolutions that read the image: that of the first, then one for each halving.
  package var hintWidths: [Int]
  /// Whether results are averaged over all pixels.
  package var poolsResults = false

  package init(_ unet: UNetConfig, imageChannels: Int = 3, hintWidths: [Int]) {
    self.unet = unet
    self.imageChannels = imageChannels
    self.hintWidths = hintWidths
  }

  /// The name of the function and of the declaration of its weights.
  package static let name = "control_net"

  /// The sizes a function is built for.
  package struct Shape: Hashable, Sendable {
    package var batch: Int
    /// Height and width of the latents.
    package var height, width: Int
    package var tokens: Int
    /// The layers of text states that the U-Net reads; nil when all read the same.
    package var layers: Int?

    package init(batch: Int = 1, height: Int, width: Int, tokens: Int = 77, layers: Int? = nil) {
      (self.batch, self.height, self.width) = (batch, height, width)
      (self.tokens, self.layers) = (tokens, layers)
    }
  }

  /// How many results there are: one for each skip, and that of the middle.
  package var results: Int {
    // The first convolution, the layers, the halvings between levels, the middle.
    1 + unet.layersPerBlock.reduce(0, +) + unet.widths.count - 1 + 1
  }

  /// The name of an input of the U-Net and of the result that it takes; the last is that of the middle.
  package func resultName(_ index: Int) -> String {
    index == results - 1 ? Self.middle : Self.skip(index)
  }

  static func skip(_ index: Int) -> String { "control.\(index)" }
  static let middle = "control.mid"

  /// Where the weights lie that a U-Net does not have.
  static let hintPath = "controlnet_cond_embedding"
  static func skipPath(_ index: Int) -> String { "controlnet_down_blocks.\(index)" }
  static let middlePath = "controlnet_mid_block"

  /// Pixels per latent, as the halvings of the image say.
  package var reduction: Int { 1 << (hintWidths.count - 1) }

  /// The IR of the network for given sizes.
  ///
  /// - Errors: those of `NetworkWeights.weight`; `model.size` for a size below one.
  package func graph(_ shape: Shape, _ weights: inout NetworkWeights) throws(Diagnostic) -> Graph {
    try expectPositive(
      ("batch", shape.batch), ("height", shape.height), ("width", shape.width), ("tokens", shape.tokens))
    var b = ModelBuilder(Self.name, weights)
    let sample = b.graph.parameter(
      "sample", .f32(shape.batch, shape.height, shape.width, unet.inChannels))
    let timestep = b.graph.parameter("timestep", .f32(shape.batch))
    let layered = shape.layers.map { [$0] } ?? []
    let states = b.graph.parameter(
      "encoder_hidden_states",
      TensorType(.f32, [shape.batch] + layered + [shape.tokens, unet.contextWidth]), rate: .prompt)
    let image = b.graph.parameter(
      "image", .f32(1, shape.height * reduction, shape.width * reduction, imageChannels), rate: .prompt)
    let strength = b.graph.parameter("strength", .f32(results), rate: .prompt)
    let residuals = try residuals(
      sample, timestep: timestep, states: states, isLayerwise: shape.layers != nil, image: image, in: &b)

    var results: [ValueID] = []
    for (index, residual) in residuals.enumerated() {
      let own = try b.graph.slice(strength, axis: 0, from: index, to: index + 1)
      let factor = try b.graph.reshape(own, to: [1, 1, 1, 1])
      results.append(try b.graph.mul(residual, factor, name: resultName(index)))
    }
    var graph = b.finish([:], &weights)
    graph.results = results
    graph.resultNames = results.indices.map(resultName)
    return graph
  }

  /// Appends the network over given inputs: what each skip and the middle get at strength 1.
  func residuals(
    _ sample: ValueID, timestep: ValueID, states: ValueID, isLayerwise: Bool, image: ValueID,
    in b: inout ModelBuilder
  ) throws(Diagnostic) -> [ValueID] {
    let hint = try hint(image, in: &b)
    let network = UNet(unet)
    let embedding = try network.timeEmbedding(timestep, in: &b)
    var contexts = LayerContexts(states, isLayerwise: isLayerwise)
    var x = try b.conv(sample, "conv_in", out: unet.widths.first ?? 0, kernel: unet.convInKernel)
    x = try b.graph.add(x, hint, name: "conditioned")
    var skips = [x]
    for level in unet.widths.indices {
      x = try network.down(x, level, embedding, &contexts, &skips, limit: .max, hasAdapter: false, in: &b)
    }
    if unet.hasMidBlock { x = try network.mid(x, embedding, &contexts, in: &b) }

    var residuals: [ValueID] = []
    for (index, skip) in (skips + [x]).enumerated() {
      let path = index == skips.count ? Self.middlePath : Self.skipPath(index)
      let residual = try b.conv(skip, path, out: b.type(skip).lastExtent, kernel: 1)
      residuals.append(poolsResults ? try pooled(residual, in: &b) : residual)
    }
    return residuals
  }

  /// What the first convolution's output is added to, `[n,8h,8w,i]` → `[n,h,w,c]`: 3×3 convolutions with
  /// `silu` between them, two to a halving.
  private func hint(_ image: ValueID, in b: inout ModelBuilder) throws(Diagnostic) -> ValueID {
    let path = Self.hintPath
    var x = try b.conv(image, "\(path).conv_in", out: hintWidths.first ?? 0)
    x = try b.graph.silu(x, name: "\(path).act_in")
    for level in 0..<hintWidths.count - 1 {
      for (half, out) in [hintWidths[level], hintWidths[level + 1]].enumerated() {
        let number = 2 * level + half
        x = try b.conv(x, "\(path).blocks.\(number)", out: out, stride: half + 1)
        x = try b.graph.silu(x, name: "\(path).act.\(number)")
      }
    }
    return try b.conv(x, "\(path).conv_out", out: unet.widths.first ?? 0)
  }

  /// The mean over all pixels at each of them.
  private func pooled(_ x: ValueID, in b: inout ModelBuilder) throws(Diagnostic) -> ValueID {
    let s = b.type(x).shape
    let sum = try b.graph.reduceSum(x, axes: [1, 2])
    let flat = try b.graph.reshape(sum, to: [s[0], 1, 1, s[3]])
    let share = try b.graph.constant(
      [Double](repeating: 1 / Double(s[1] * s[2]), count: s[1] * s[2]), .f32(1, s[1], s[2], 1))
    return try b.graph.mul(share, flat)
  }
}

extension UNet {
  /// Adds to the skips what a ControlNet gives: values of the function, or inputs.
  func add(
    _ control: [ValueID]?, toSkips skips: inout [ValueID], in b: inout ModelBuilder
  ) throws(Diagnostic) {
    for index in skips.indices {
      let name = ControlNet.skip(index)
      let residual = control?[index] ?? b.graph.parameter(name, b.type(skips[index]))
      skips[index] = try b.graph.add(skips[index], residual, name: "\(name).added")
    }
  }

  /// Adds to the output of the middle what a ControlNet gives.
  func add(
    _ control: [ValueID]?, toMiddle x: ValueID, in b: inout ModelBuilder
  ) throws(Diagnostic) -> ValueID {
    let residual = control?.last ?? b.graph.parameter(ControlNet.middle, b.type(x))
    return try b.graph.add(x, residual, name: "\(ControlNet.middle).added")
  }
}
