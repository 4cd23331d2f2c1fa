import MoscIR
import Testing

/// The reference evaluator on cases small enough to check by hand, and composites against their
/// decompositions.
@Suite struct EvaluatorTests {
  private func evaluate(
    _ inputs: [HostTensor], _ build: (inout Graph, [ValueID]) throws -> ValueID
  ) throws -> [Double] {
    var graph = Graph("f")
    let parameters = inputs.enumerated().map { graph.parameter("x\($0.0)", $0.1.type) }
    graph.results = [try build(&graph, parameters)]
    return try Evaluator(Module(graphs: [graph])).run("f", inputs)[0].elements
  }

  private func ramp(_ type: TensorType, _ scale: Double = 0.37) -> HostTensor {
    var i = 0.0
    return HostTensor(type) { _ in
      i += 1
      return ((i * scale).truncatingRemainder(dividingBy: 2.3)) - 1
    }
  }

  @Test func roundsToTheElementType() throws {
    let x = HostTensor(.f32(3), [1.00390625, -1.5, 1 + 1 / 256.0 + 1 / 512.0])
    let y = try evaluate([x]) { g, p in try g.cast(p[0], to: .bf16) }
    #expect(y == [1, -1.5, 1.0078125])
    let i = try evaluate([HostTensor(.f32(3), [2.9, -2.9, 1e20])]) { g, p in
      try g.cast(p[0], to: .u8)
    }
    #expect(i == [2, 0, 255])
  }

  @Test func convolutionByHand() throws {
    let x = HostTensor(.f32(1, 2, 2, 1), [1, 2, 3, 4])
    let w = HostTensor(.f32(1, 1, 3, 3), [0, 1, 0, 1, 10, 1, 0, 1, 0])
    let b = HostTensor(.f32(1), [100])
    let y = try evaluate([x, w, b]) { g, p in
      try g.conv2d(p[0], weight: p[1], bias: p[2], stride: 1, pad: 1)
    }
    #expect(y == [115, 125, 135, 145])
  }

  @Test func movementByHand() throws {
    let x = HostTensor(.f32(2, 2), [1, 2, 3, 4])
    #expect(try evaluate([x]) { g, p in try g.transpose(p[0], axes: [1, 0]) } == [1, 3, 2, 4])
    #expect(
      try evaluate([x]) { g, p in try g.pad(p[0], low: [0, 1], high: [1, 0]) }
        == [0, 1, 2, 0, 3, 4, 0, 0, 0])
    #expect(
      try evaluate([x]) { g, p in try g.pad(p[0], low: [1, 1], high: [0, 2], wrap: [1]) }
        == [0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 4, 3, 4, 3, 4])
    #expect(
      try evaluate([x]) { g, p in try g.pad(p[0], low: [1, 0], high: [0, 1], wrap: [0, 1]) }
        == [3, 4, 3, 1, 2, 1, 3, 4, 3])
    #expect(
      try evaluate([x, x]) { g, p in try g.concat(p, axis: 1) } == [1, 2, 1, 2, 3, 4, 3, 4])
    let image = HostTensor(.f32(1, 1, 2, 1), [5, 6])
    #expect(
      try evaluate([image]) { g, p in try g.upsampleNearest(p[0], height: 2, width: 3) }
        == [5, 5, 6, 5, 5, 6])
    let ids = HostTensor(.i32(3), [1, 0, 9])
    #expect(try evaluate([x, ids]) { g, p in try g.gather(p[0], ids: p[1]) } == [3, 4, 1, 2, 3, 4])
    #expect(try evaluate([x]) { g, p in try g.reduceSum(p[0], axes: [0]) } == [4, 6])
    #expect(try evaluate([x]) { g, p in try g.reduceMax(p[0], axes: [0, 1]) } == [4])
  }

  @Test func timestepEmbeddingEnds() throws {
    let t = HostTensor(.f32(1), [2])
    let y = try evaluate([t]) { g, p in
      try g.timestepEmbedding(p[0], dim: 4, flipSinToCos: true, shift: 0)
    }
    #expect(abs(y[0] - -0.4161468365) < 1e-7 && abs(y[2] - 0.9092974268) < 1e-7)
    #expect(abs(y[1] - 0.9998000067) < 1e-7 && abs(y[3] - 0.0199986667) < 1e-7)
  }

  @Test func compositesEqualTheirDecompositions() throws {
    let cases: [(Op, [HostTensor])] = [
      (.softmax(Softmax()), [ramp(.f32(3, 5))]),
      (.geglu(Geglu()), [ramp(.f32(2, 3, 8))]),
      (
        .layerNorm(LayerNorm(eps: 1e-5)),
        [ramp(.f32(2, 3, 6)), ramp(.f32(6), 0.9), ramp(.f32(6), 0.2)]
      ),
      (
        .groupNorm(GroupNorm(groups: 3, eps: 1e-5)),
        [ramp(.f32(2, 2, 3, 6)), ramp(.f32(6), 0.9), ramp(.f32(6), 0.2)]
      ),
      (
        .attention(Attention(heads: 2)),
        [ramp(.f32(2, 3, 8)), ramp(.f32(2, 5, 8), 0.9), ramp(.f32(2, 5, 8), 0.7)]
      ),
      (
        .attention(Attention(heads: 2, isCausal: true)),
        [ramp(.f32(2, 4, 8)), ramp(.f32(2, 4, 8), 0.9), ramp(.f32(2, 4, 8), 0.7)]
      ),
      (
        .attention(Attention(heads: 2, isCausal: true)),
        [ramp(.f32(2, 2, 8)), ramp(.f32(2, 4, 8), 0.9), ramp(.f32(2, 4, 8), 0.7)]
      ),
      (
        .regionalAttention(RegionalAttention(heads: 2)),
        [
          ramp(.f32(2, 3, 8)), ramp(.f32(2, 2, 4, 8), 0.9), ramp(.f32(2, 2, 4, 8), 0.7),
          HostTensor(.f32(2, 3), [1, 0, 0.25, 0, 1, 0.75]),
        ]
      ),
      (
        .lora(Lora()),
        [
          ramp(.f32(2, 3, 4)), ramp(.f32(2, 3, 5), 0.9), ramp(.f32(2, 5), 0.7),
          ramp(.f32(4, 2), 0.3), HostTensor(.f32(1), [0.8]),
        ]
      ),
      (
        .lora(Lora(stride: 2, pad: 1)),
        [
          ramp(.f32(1, 2, 2, 4)), ramp(.f32(1, 4, 4, 5), 0.9), ramp(.f32(2, 5, 3, 3), 0.7),
          ramp(.f32(4, 2, 1, 1), 0.3), HostTensor(.f32(1), [0.8]),
        ]
      ),
      (
        .lora(Lora()),
        [
          ramp(.f32(2, 3, 4)), ramp(.f32(2, 3, 5), 0.9), ramp(.f32(2, 5), 0.7),
          ramp(.f32(4, 2), 0.3), HostTensor(.f32(1), [0.8]),
          HostTensor(.f32(3, 2), [1, 0, 0.25, 0.75, 0, 0.5]),
        ]
      ),
      (
        .lora(Lora(stride: 2, pad: 1)),
        [
          ramp(.f32(2, 2, 2, 4)), ramp(.f32(2, 4, 4, 5), 0.9), ramp(.f32(2, 5, 3, 3), 0.7),
          ramp(.f32(4, 2, 1, 1), 0.3), HostTensor(.f32(1), [0.8]), ramp(.f32(4, 2), 0.6),
        ]
      ),
      (
        .lora(Lora()),
        [
          ramp(.f32(2, 2, 3, 4)), ramp(.f32(2, 1, 1, 5), 0.9), ramp(.f32(2, 5), 0.7),
          ramp(.f32(4, 2), 0.3), HostTensor(.f32(1), [0.8]), ramp(.f32(6, 2), 0.6),
        ]
      ),
      (.winogradWeight(WinogradWeight(try winograd(4))), [ramp(.f32(3, 2, 3, 3))]),
      (
        .winogradConv2d(WinogradConv2d(try winograd(2), image: [2, 2, 4])),
        [ramp(.f32(16, 4, 3)), ramp(.f32(5, 3, 4, 4), 0.9), ramp(.f32(5), 0.4)]
      ),
      (
        .winogradConv2d(WinogradConv2d(try winograd(4), image: [1, 8, 4])),
        [ramp(.f32(36, 2, 3)), ramp(.f32(5, 3, 3, 3), 0.9)]
      ),
    ]
    var seen: Set<String> = []
    for (op, inputs) in cases {
      let composite = try #require(op.definition as? any CompositeOp)
      let whole = try evaluate(inputs) { g, p in try g.emit(op, p) }
      let parts = try evaluate(inputs) { g, p in try composite.decompose(p, in: &g)[0] }
      #expect(whole.count == parts.count)
      for (a, b) in zip(whole, parts) {
        #expect(abs(a - b) <= 2e-6 * max(1, abs(a)), "\(op.mnemonic): \(a) and \(b)")
      }
      seen.insert(op.mnemonic)
    }
    let all = Op.all.filter { $0.traits.contains(.composite) }.map(\.mnemonic)
    #expect(seen == Set(all).union(["winograd_conv2d"]))
  }

  private func winograd(_ outputs: Int) throws -> WinogradTransform {
    try #require(WinogradTransform(outputs: outputs))
  }

  /// The algorithm gives the convolution, exactly but for the rounding of its sixths.
  @Test(arguments: [2, 4], [false, true]) func winogradIsAConvolution(
    _ outputs: Int, keepsFilters: Bool
  ) throws {
    let inputs = [
      ramp(.f32(2, 2 * outputs + 2, outputs + 2, 3)), ramp(.f32(5, 3, 3, 3), 0.9),
      ramp(.f32(5), 0.4),
    ]
    let transform = try winograd(outputs)
    let direct = try evaluate(inputs) { g, p in
      try g.conv2d(p[0], weight: p[1], bias: p[2], stride: 1, pad: 0)
    }
    let fast = try evaluate(inputs) { g, p in
      try g.winogradConv2d(
        p[0], weight: p[1], bias: p[2], transform, keepsFilters: keepsFilters)
    }
    #expect(direct.count == fast.count)
    for (a, b) in zip(direct, fast) { #expect(abs(a - b) < 1e-5, "\(a) and \(b)") }
  }

  /// A gate is a factor of each coefficient where the result is written: of one adapter it is a factor of its
  /// branch, of several each has its own.
  @Test func gatedLoraIsTheSumOfItsBranches() throws {
    let gate = HostTensor(.f32(4, 3), [1, 0, 0, 0, 0.5, 0.5, 0.25, 1, 1, 0, 0, 0])
    let inputs = [
      ramp(.f32(2, 2, 2, 3)), ramp(.f32(2, 4, 4, 2), 0.9), ramp(.f32(3, 2, 3, 3), 0.7),
      ramp(.f32(3, 3, 1, 1), 0.3), HostTensor(.f32(1), [0.8]), gate,
    ]
    let whole = try evaluate(inputs) { g, p in
      try g.lora(p[0], input: p[1], down: p[2], up: p[3], scale: p[4], gate: p[5], stride: 2, pad: 1)
    }
    let parts = try evaluate(inputs) { g, p in
      var sum = p[0]
      for k in 0..<3 {
        let down = try g.slice(p[2], axis: 0, from: k, to: k + 1)
        let up = try g.slice(p[3], axis: 1, from: k, to: k + 1)
        let zero = try g.constant(0, .f32(1, 1, 1, 1))
        let nothing = try g.mul(p[0], zero)
        let branch = try g.lora(
          nothing, input: p[1], down: down, up: up, scale: p[4], stride: 2, pad: 1)
        let share = try g.reshape(try g.slice(p[5], axis: 1, from: k, to: k + 1), to: [1, 2, 2, 1])
        sum = try g.add(sum, try g.mul(branch, share))
      }
      return sum
    }
    #expect(whole.count == 24 && parts.count == 24)
    for (a, b) in zip(whole, parts) { #expect(abs(a - b) < 1e-6, "\(a) and \(b)") }
    // Where the gate is 0, the base is left exactly as it is.
    let base = inputs[0].elements
    for i in 9..<12 { #expect(whole[i] == base[i] && whole[i + 12] == base[i + 12]) }
  }

  /// A gate of a run of coefficients is that of each.
  @Test func gatesOfRuns() throws {
    let inputs = [
      ramp(.f32(2, 3, 4)), ramp(.f32(2, 3, 5), 0.9), ramp(.f32(6, 5), 0.7), ramp(.f32(4, 6), 0.3),
      HostTensor(.f32(1), [0.8]), HostTensor(.f32(3, 2), [1, 0, 0.25, 0.75, 0, 0.5]),
    ]
    func lora(_ g: inout Graph, _ p: [ValueID], _ gate: ValueID) throws -> ValueID {
      try g.lora(p[0], input: p[1], down: p[2], up: p[3], scale: p[4], gate: gate)
    }
    let short = try evaluate(inputs) { g, p in try lora(&g, p, p[5]) }
    let long = try evaluate(inputs) { g, p in
      let each = try g.broadcast(try g.reshape(p[5], to: [3, 2, 1]), to: [3, 2, 3])
      return try lora(&g, p, try g.reshape(each, to: [3, 6]))
    }
    #expect(short == long)
  }

  @Test(arguments: [
    ([4, 2], [2, 3, 5], "a gate of other positions"), ([3, 3], [2, 3, 5], "no runs of coefficients"),
    ([3, 2], [1, 3, 5], "an input of other samples"), ([3, 2], [2, 2, 5], "an input of other positions"),
  ]) func gatesMustFit(_ gate: [Int], _ input: [Int], _ what: String) throws {
    #expect(throws: Diagnostic.self, "\(what)") {
      _ = try evaluate([
        ramp(.f32(2, 3, 4)), ramp(TensorType(.f32, input)), ramp(.f32(2, 5)), ramp(.f32(4, 2)),
        HostTensor(.f32(1), [1]), ramp(TensorType(.f32, gate)),
      ]) { g, p in
        try g.lora(p[0], input: p[1], down: p[2], up: p[3], scale: p[4], gate: p[5])
      }
    }
  }

  @Test func mergedLoraEqualsTheBranch() throws {
    let x = ramp(.f32(3, 5), 0.9)
    let w = ramp(.f32(4, 5), 0.41)
    let (down, up) = (ramp(.f32(2, 5), 0.7), ramp(.f32(4, 2), 0.3))
    let scale = HostTensor(.f32(1), [0.8])
    let branch = try evaluate([x, w, down, up, scale]) { g, p in
      try g.lora(
        try g.linear(p[0], weight: p[1]), input: p[0], down: p[2], up: p[3], scale: p[4])
    }
    let merged = try evaluate([x, w, down, up, scale]) { g, p in
      try g.linear(
        p[0], weight: try g.loraMerge(p[1], down: p[2], up: p[3], scale: p[4]))
    }
    for (a, b) in zip(branch, merged) { #expect(abs(a - b) < 1e-6) }
  }
}
