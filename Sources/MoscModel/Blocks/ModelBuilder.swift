import MoscIR

/// Builds one function of a network: layers are named by the path of their weights, and so are
/// the values they produce.
package struct ModelBuilder {
  package var graph: Graph
  /// What the layers of the network read.
  package private(set) var weights: NetworkWeights
  /// The attention of image to text that cross-attention layers leave here; nil to leave none.
  package var attentionMaps: AttentionMaps?
  /// The directions in which convolutions see the opposite edge of an image rather than zeros around it, as
  /// torch's `padding_mode='circular'`; nil for none.
  package var seamless: Seamless?

  /// What enters the up layer at which shallow steps begin; nil without such steps.
  package var deepFeature: ValueID?

  /// A function over one network, or of none so far.
  package init(
    _ name: String, _ weights: NetworkWeights = NetworkWeights(WeightTable([:], declarations: []))
  ) {
    graph = Graph(name)
    self.weights = weights
  }

  /// Appends one of several networks of a function, with weights of its own.
  package mutating func reading<Value>(
    _ own: inout NetworkWeights,
    _ network: (inout ModelBuilder) throws(Diagnostic) -> Value
  ) throws(Diagnostic) -> Value {
    swap(&weights, &own)
    defer { swap(&weights, &own) }
    return try network(&self)
  }

  /// The type of a value.
  package func type(_ value: ValueID) -> TensorType { graph.type(value) }

  /// The rows of the tokens that adapters add, `[n, width]`, and the first of them; nil when there are
  /// none.
  mutating func tokenRows(width: Int) throws(Diagnostic) -> (rows: ValueID, first: Int)? {
    guard let first = weights.hooks.addedTokens.first else { return nil }
    return (try weights.hooks.tokenRows(width: width, in: &graph), first)
  }

  /// The weight at a path.
  package mutating func weight(_ path: String, _ shape: Int...) throws(Diagnostic) -> ValueID {
    try weights.weight(path, shape, in: &graph)
  }

  /// `y = x·Wᵀ + b` over the last axis, `[…, i]` → `[…, out]`.
  package mutating func linear(
    _ x: ValueID, _ path: String, out: Int, bias: Bool = true
  ) throws(Diagnostic) -> ValueID {
    let w = try weight("\(path).weight", out, type(x).lastExtent)
    let b = bias ? try weight("\(path).bias", out) : nil
    let y = try graph.linear(x, weight: w, bias: b, name: path)
    return try weights.hooks.adapted(y, input: x, path, type(w).shape, in: &graph)
  }

  /// A square convolution, `[n,h,w,i]` → `[n,h/stride,w/stride,out]`, padded by half the kernel
  /// unless told otherwise: with zeros, or `seamless`.
  package mutating func conv(
    _ x: ValueID, _ path: String, out: Int, kernel: Int = 3, stride: Int = 1, pad: Int? = nil,
    bias hasBias: Bool = true
  ) throws(Diagnostic) -> ValueID {
    let w = try weight("\(path).weight", out, type(x).lastExtent, kernel, kernel)
    let b = hasBias ? try weight("\(path).bias", out) : nil
    var (x, pad) = (x, pad ?? (kernel - 1) / 2)
    if pad > 0, let seamless {
      let widths = [0, pad, pad, 0]
      x = try graph.pad(x, low: widths, high: widths, wrap: seamless.axes, name: "\(path).ring")
      pad = 0
    }
    let y = try graph.conv2d(x, weight: w, bias: b, stride: stride, pad: pad, name: path)
    return try weights.hooks.adapted(
      y, input: x, path, type(w).shape, stride: stride, pad: pad, in: &graph)
  }

  /// An image `[n,h,w,c]` to which a projection of an embedding `[n,e]` was added, with what regional
  /// adapters change of the projection.
  mutating func shifted(
    _ image: ValueID, by embedding: ValueID, _ path: String
  ) throws(Diagnostic) -> ValueID {
    try weights.hooks.shifted(image, embedding: embedding, path, in: &graph)
  }

  /// Says which feature maps regional adapters may meet, by number of positions.
  mutating func gateRegions(_ grids: [(height: Int, width: Int)]) {
    for grid in grids { weights.hooks.regional?.grids[grid.height * grid.width] = grid }
  }

  /// Begins to measure what contexts attend to and where regional adapters act.
  mutating func measureRegions() {
    attentionMaps = AttentionMaps(mostPixels: RegionMeasure.mostPixels)
    weights.hooks.regional?.measures = true
  }

  /// What was measured, by the names of results.
  mutating func regionMeasures() throws(Diagnostic) -> [(key: String, value: ValueID)] {
    var results: [(key: String, value: ValueID)] = []
    for pixels in attentionMaps?.resolutions ?? [] {
      if let map = try attentionMaps?.mean(pixels, in: &graph) {
        results.append((RegionMeasure.attention(pixels), map))
      }
    }
    for (pixels, energy) in weights.hooks.regional?.energies.sorted(by: { $0.key > $1.key }) ?? [] {
      results.append((RegionMeasure.energy(pixels), energy))
    }
    return results
  }

  /// Group normalisation with learnt scale and shift.
  package mutating func groupNorm(
    _ x: ValueID, _ path: String, groups: Int, eps: Double
  ) throws(Diagnostic) -> ValueID {
    let scale = try weight("\(path).weight", type(x).lastExtent)
    let shift = try weight("\(path).bias", type(x).lastExtent)
    return try graph.groupNorm(x, scale: scale, shift: shift, groups: groups, eps: eps, name: path)
  }

  /// Layer normalisation with learnt scale and shift.
  package mutating func layerNorm(
    _ x: ValueID, _ path: String, eps: Double = 1e-5
  ) throws(Diagnostic) -> ValueID {
    let scale = try weight("\(path).weight", type(x).lastExtent)
    let shift = try weight("\(path).bias", type(x).lastExtent)
    return try graph.layerNorm(x, scale: scale, shift: shift, eps: eps, name: path)
  }

  /// Declares the results, named as files call them, then the moments of measured layers, and hands
  /// out the graph and what became of the weights.
  package consuming func finish(
    _ results: KeyValuePairs<String, ValueID>, _ weights: inout NetworkWeights
  ) -> Graph {
    finish(results.map { ($0.key, $0.value) }, &weights)
  }

  /// Declares any number of results; see the other `finish`.
  package consuming func finish(
    _ results: [(key: String, value: ValueID)], _ weights: inout NetworkWeights
  ) -> Graph {
    weights = self.weights
    let moments = weights.hooks.moments
    graph.results = results.map(\.value) + moments.map(\.sum)
    graph.resultNames = results.map(\.key) + moments.indices.map(ResultName.moments)
    return graph
  }
}
