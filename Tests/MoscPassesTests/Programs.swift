import MoscFuzz
import MoscIR
import MoscPasses

extension SeededNumbers {
  /// A tensor of numbers between −1 and 1, or of small integers.
  mutating func tensor(_ type: TensorType) -> HostTensor {
    HostTensor(
      type,
      (0..<type.count).map { _ in
        type.dtype.isFloat ? Double.random(in: -1...1, using: &self) : Double(next() % 5)
      })
  }
}

/// Programs and data for tests of passes.
enum Programs {
  /// Random values for every weight that a module reads.
  static func weights(of module: Module, seed: UInt64 = 1) -> [String: [String: HostTensor]] {
    var random = SeededNumbers(seed)
    var result: [String: [String: HostTensor]] = [:]
    for graph in module.graphs {
      for id in graph.order {
        guard case .param(let param) = graph[id].op else { continue }
        if result[param.source]?[param.name] != nil { continue }
        result[param.source, default: [:]][param.name] = random.tensor(param.type)
      }
    }
    return result
  }

  /// Random values for the parameters of a function, by name.
  static func inputs(of graph: Graph, seed: UInt64) -> [String: HostTensor] {
    var numbers = SeededNumbers(seed)
    return Dictionary(
      uniqueKeysWithValues: graph.parameters.map { (graph[$0].name, numbers.tensor(graph.type($0))) })
  }

  /// The results of a function by name. Parts that `split-rates` made run one after the other;
  /// results of one are inputs of the next by name.
  static func run(
    _ module: Module, _ function: String, inputs: [String: HostTensor],
    weights: [String: [String: HostTensor]]
  ) throws -> [String: HostTensor] {
    let evaluator = Evaluator(module, weights: weights)
    let names = [function] + Rate.allCases.map { "\(function).\($0.name)" }
    var values = inputs
    for name in names {
      guard let graph = module[name] else { continue }
      let operands = try graph.parameters.map { id in
        guard let value = values[graph[id].name] else {
          throw Diagnostic("test.input", "'@\(name)' needs '\(graph[id].name)'")
        }
        return value
      }
      let results = try evaluator.run(name, operands)
      for (index, id) in graph.results.enumerated() {
        let label = index < graph.resultNames.count ? graph.resultNames[index] : graph[id].name
        values[label] = results[index]
      }
    }
    return values
  }

  /// ‖a − b‖ / ‖b‖ over all elements, NaN if any is.
  static func distance(_ a: HostTensor, _ b: HostTensor) -> Double {
    guard a.type.count == b.type.count else { return .infinity }
    var (difference, norm) = (0.0, 0.0)
    for (x, y) in zip(a.elements, b.elements) {
      difference += (x - y) * (x - y)
      norm += y * y
    }
    return norm == 0 ? difference.squareRoot() : (difference / norm).squareRoot()
  }

  /// A denoiser in small: every op of the real one, with all three rates.
  static func denoiser(channels: Int = 16, size: Int = 2, tokens: Int = 5) throws(Diagnostic)
    -> Module
  {
    var graph = Graph("unet")
    let c = channels
    let sample = graph.parameter("sample", .f32(2, size, size, 4))
    let timestep = graph.parameter("timestep", .f32(2))
    let text = graph.parameter("text", .f32(2, tokens, 12), rate: .prompt)
    func weight(_ name: String, _ shape: Int..., in graph: inout Graph) throws(Diagnostic)
      -> ValueID
    {
      let stored = try graph.param(name, in: "base", TensorType(.f16, shape), name: name)
      return try graph.cast(stored, to: .f32)
    }
    func layer(_ name: String, _ x: ValueID, _ out: Int, in graph: inout Graph)
      throws(Diagnostic) -> ValueID
    {
      let w = try weight("\(name).weight", out, graph.type(x).lastExtent, in: &graph)
      let b = try weight("\(name).bias", out, in: &graph)
      return try graph.linear(x, weight: w, bias: b, name: name)
    }
    func conv(
      _ name: String, _ x: ValueID, _ out: Int, kernel: Int = 3, stride: Int = 1,
      in graph: inout Graph
    ) throws(Diagnostic) -> ValueID {
      let w = try weight(
        "\(name).weight", out, graph.type(x).lastExtent, kernel, kernel, in: &graph)
      let b = try weight("\(name).bias", out, in: &graph)
      return try graph.conv2d(
        x, weight: w, bias: b, stride: stride, pad: kernel / 2, name: name)
    }
    func norm(_ name: String, _ x: ValueID, in graph: inout Graph) throws(Diagnostic) -> ValueID {
      let scale = try weight("\(name).weight", c, in: &graph)
      let shift = try weight("\(name).bias", c, in: &graph)
      return graph.type(x).rank == 3
        ? try graph.layerNorm(x, scale: scale, shift: shift, eps: 1e-5, name: name)
        : try graph.groupNorm(x, scale: scale, shift: shift, groups: 4, eps: 1e-5, name: name)
    }
    let embedded = try graph.timestepEmbedding(timestep, dim: c, flipSinToCos: true, shift: 0)
    let time = try graph.silu(try layer("time", embedded, c, in: &graph))
    var h = try conv("conv_in", sample, c, in: &graph)
    let skip = h
    // A residual block.
    var r = try graph.silu(try norm("norm1", h, in: &graph))
    r = try conv("conv1", r, c, in: &graph)
    let shifted = try graph.reshape(
      try layer("time_proj", time, c, in: &graph), to: [2, 1, 1, c])
    r = try graph.add(r, shifted)
    r = try graph.silu(try norm("norm2", r, in: &graph))
    r = try conv("conv2", r, c, in: &graph)
    h = try graph.add(h, r, name: "resnet")
    // A transformer block.
    var t = try graph.reshape(h, to: [2, size * size, c])
    let n = try norm("norm3", t, in: &graph)
    let q = try layer("to_q", n, c, in: &graph)
    let k = try layer("to_k", text, c, in: &graph)
    let v = try layer("to_v", text, c, in: &graph)
    let mixed = try graph.attention(q, keys: k, values: v, heads: 2, name: "attn")
    t = try graph.add(try layer("to_out", mixed, c, in: &graph), t)
    let gated = try graph.geglu(
      try layer("ff", try norm("norm4", t, in: &graph), 4 * c, in: &graph))
    t = try graph.add(try layer("ff_out", gated, c, in: &graph), t)
    h = try graph.reshape(t, to: [2, size, size, c])
    // Down, up and the skip connection.
    h = try conv("down", h, c, stride: 2, in: &graph)
    h = try graph.upsampleNearest(h, height: size, width: size)
    h = try conv("up", h, c, in: &graph)
    h = try graph.concat([h, skip], axis: 3)
    h = try conv("shortcut", h, c, kernel: 1, in: &graph)
    h = try graph.silu(try norm("norm_out", h, in: &graph))
    graph.results = [try conv("conv_out", h, 4, in: &graph)]
    graph.resultNames = ["noise_pred"]
    return Module(
      weights: [WeightsDeclaration(name: "base", path: "base.safetensors")], graphs: [graph])
  }
}
