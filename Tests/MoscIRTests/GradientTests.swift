import MoscIR
import Testing

/// The gradient of every op against central differences.
@Suite struct GradientTests {
  typealias Case = GradientChecker.Case

  /// Ops that no gradient passes, all of which must say why.
  static let without: Set<String> = [
    "param", "constant", "compare", "pack", "quantise", "repack", "timestep_embedding", "call", "arena",
    "subview", "launch", "gradient", "gram", "attention_statistics", "attention_gradient",
    "winograd_input", "winograd_weight", "winograd_conv2d",
  ]

  static let unary: [String: Op] = [
    "neg": .neg(Neg()), "abs": .abs(Abs()), "exp": .exp(Exp()), "erf": .erf(Erf()),
    "tanh": .tanh(Tanh()), "sin": .sin(Sin()), "cos": .cos(Cos()), "sigmoid": .sigmoid(Sigmoid()),
    "silu": .silu(Silu()), "gelu": .gelu(Gelu()), "quick_gelu": .quickGelu(QuickGelu()),
    "log": .log(Log()), "sqrt": .sqrt(Sqrt()), "rsqrt": .rsqrt(Rsqrt()),
  ]
  static let binary: [String: Op] = [
    "add": .add(Add()), "sub": .sub(Sub()), "mul": .mul(Mul()), "div": .div(Div()),
    "maximum": .maximum(Maximum()), "minimum": .minimum(Minimum()),
  ]

  static func cases(_ mnemonic: String) -> [Case] {
    if let op = unary[mnemonic] {
      let needsPositive = ["log", "sqrt", "rsqrt"].contains(mnemonic)
      return [Case([[2, 5]], positive: needsPositive) { g, x in try g.emit(op, x) }]
    }
    if let op = binary[mnemonic] {
      let shapes: [([Int], [Int])] = [
        ([2, 3], [2, 3]), ([2, 1, 3], [1, 4, 3]), ([1, 3], [2, 3]), ([2, 3], [1, 1]), ([4], [4]),
      ]
      return shapes.map { a, b in
        Case([a, b], positive: mnemonic == "div") { g, x in try g.emit(op, x) }
      } + [Case([[3]], positive: true) { g, x in try g.emit(op, [x[0], x[0]]) }]
    }
    return movement(mnemonic) ?? reductions(mnemonic) ?? contractions(mnemonic) ?? []
  }

  static func movement(_ mnemonic: String) -> [Case]? {
    switch mnemonic {
    case "select":
      return [[2, 3], [1, 3], [2, 1]].map { (shape: [Int]) in
        Case([TensorType(.u8, [2, 3]), .f32(2, 3), TensorType(.f32, shape)]) { g, x in
          try g.select(x[0], x[1], x[2])
        }
      } + [
        // Through the condition no gradient passes.
        Case([[2, 3], [2, 3]]) { g, x in
          try g.select(try g.compare(x[0], x[1], is: .less), try g.mul(x[0], x[0]), x[1])
        }
      ]
    case "cast":
      return [
        Case([[2, 3]]) { g, x in try g.cast(try g.cast(x[0], to: .bf16), to: .f32) },
        Case([[2, 3]]) { g, x in
          try g.mul(x[0], try g.cast(try g.cast(x[0], to: .i32), to: .f32))
        },
      ]
    case "reshape": return [Case([[2, 6]]) { g, x in try g.reshape(x[0], to: [3, 4]) }]
    case "slice":
      return [Case([[2, 7, 3]]) { g, x in try g.slice(x[0], axis: 1, from: 2, to: 5) }]
    case "concat":
      return [Case([[2, 3], [2, 4]]) { g, x in try g.concat([x[0], x[1], x[0]], axis: 1) }]
    case "pad":
      return [
        Case([[2, 3, 2]]) { g, x in try g.pad(x[0], low: [0, 1, 2], high: [3, 0, 1]) },
        Case([[2, 3, 2]]) { g, x in try g.pad(x[0], low: [1, 1, 2], high: [3, 3, 1], wrap: [1, 2]) },
      ]
    case "transpose":
      return [Case([[2, 3, 4]]) { g, x in try g.transpose(x[0], axes: [2, 0, 1]) }]
    case "reverse":
      return [Case([[2, 3, 4]]) { g, x in try g.reverse(x[0], axes: [0, 2]) }]
    case "broadcast": return [Case([[1, 3, 1]]) { g, x in try g.broadcast(x[0], to: [2, 3, 4]) }]
    case "upsample_nearest":
      return [(4, 6), (3, 5), (4, 3)].map { (h: Int, w: Int) in
        Case([[2, 2, 3, 2]]) { g, x in try g.upsampleNearest(x[0], height: h, width: w) }
      }
    case "gather":
      return [
        Case([.f32(5, 3), TensorType(.i32, [2, 4])]) { g, x in try g.gather(x[0], ids: x[1]) }
      ]
    case "scatter_add":
      return [
        Case([.f32(2, 4, 3), TensorType(.i32, [2, 4])]) { g, x in
          try g.scatterAdd(x[0], ids: x[1], rows: 5)
        }
      ]
    default: return nil
    }
  }

  static func reductions(_ mnemonic: String) -> [Case]? {
    let images: [([Int], Int)] = [([2, 3, 2, 6], 3), ([2, 5, 4], 1), ([3, 8], 2)]
    func norm(_ op: Op, _ shape: [Int]) -> Case {
      let c = shape[shape.count - 1]
      return Case([shape, [c], [c]]) { g, x in try g.emit(op, x) }
    }
    switch mnemonic {
    case "reduce_sum":
      return [[1], [0, 2]].map { (axes: [Int]) in
        Case([[2, 3, 4]]) { g, x in try g.mul(x[0], try g.reduceSum(x[0], axes: axes)) }
      }
    case "reduce_max":
      return [[1], [0, 2]].map { (axes: [Int]) in
        Case([[2, 3, 4]]) { g, x in try g.reduceMax(x[0], axes: axes) }
      }
    case "softmax": return [Case([[2, 3, 5]]) { g, x in try g.softmax(x[0]) }]
    case "layer_norm":
      return [[3, 5], [2, 3, 4], [6]].map { norm(.layerNorm(LayerNorm(eps: 1e-3)), $0) }
    case "group_norm":
      return images.map { norm(.groupNorm(GroupNorm(groups: $0.1, eps: 1e-3)), $0.0) }
    case "group_affine":
      return images.map { norm(.groupAffine(GroupAffine(groups: $0.1, eps: 1e-3)), $0.0) }
    default: return nil
    }
  }

  static func contractions(_ mnemonic: String) -> [Case]? {
    switch mnemonic {
    case "linear":
      return [
        Case([[2, 3, 4], [5, 4], [5]]) { g, x in
          try g.linear(x[0], weight: x[1], bias: x[2])
        },
        Case([[1, 4], [5, 4]]) { g, x in try g.linear(x[0], weight: x[1]) },
      ]
    case "conv2d":
      let settings: [(image: [Int], kernel: [Int], stride: Int, pad: Int)] = [
        ([2, 4, 5, 2], [3, 2, 3, 3], 1, 1), ([1, 4, 4, 2], [3, 2, 1, 1], 1, 0),
        ([1, 5, 4, 2], [2, 2, 3, 3], 2, 1), ([1, 6, 7, 2], [2, 2, 3, 3], 2, 0),
        ([1, 4, 4, 1], [2, 1, 2, 3], 1, 2), ([1, 5, 5, 1], [2, 1, 1, 1], 2, 0),
        ([1, 7, 8, 1], [1, 1, 2, 4], 3, 1), ([1, 3, 3, 1], [1, 1, 2, 2], 1, 3),
      ]
      return settings.map { setting in
        Case([setting.image, setting.kernel, [setting.kernel[0]]]) { g, x in
          try g.conv2d(
            x[0], weight: x[1], bias: x[2], stride: setting.stride, pad: setting.pad)
        }
      }
    case "matmul": return [Case([[2, 3, 4], [2, 4, 5]]) { g, x in try g.matmul(x[0], x[1]) }]
    case "regional_attention":
      return [
        Case([[2, 3, 4], [2, 2, 3, 4], [2, 2, 3, 4], [2, 3]]) { g, x in
          try g.regionalAttention(x[0], keys: x[1], values: x[2], coverage: x[3], heads: 2)
        }
      ]
    case "attention":
      return [(1, 4, 4, true), (2, 3, 5, false), (2, 4, 3, false), (2, 3, 5, true)].map {
        (heads: Int, t: Int, s: Int, isCausal: Bool) in
        Case([[2, t, 4], [2, s, 4], [2, s, 4]]) { g, x in
          try g.attention(x[0], keys: x[1], values: x[2], heads: heads, causal: isCausal)
        }
      } + [
        Case([[1, 3, 4]]) { g, x in
          try g.attention(x[0], keys: x[0], values: x[0], heads: 2)
        }
      ]
    case "lora":
      return [
        Case([[2, 3, 5], [2, 3, 4], [2, 4], [5, 2], [1]]) { g, x in
          try g.lora(x[0], input: x[1], down: x[2], up: x[3], scale: x[4])
        },
        Case([[1, 2, 2, 3], [1, 4, 4, 2], [2, 2, 3, 3], [3, 2, 1, 1], [1]]) { g, x in
          try g.lora(
            x[0], input: x[1], down: x[2], up: x[3], scale: x[4], stride: 2, pad: 1)
        },
        Case([[2, 3, 5], [2, 3, 4], [2, 4], [5, 2], [1], [3, 2]]) { g, x in
          try g.lora(x[0], input: x[1], down: x[2], up: x[3], scale: x[4], gate: x[5])
        },
        Case([[2, 2, 2, 3], [2, 4, 4, 2], [2, 2, 3, 3], [3, 2, 1, 1], [1], [4, 2]]) { g, x in
          try g.lora(
            x[0], input: x[1], down: x[2], up: x[3], scale: x[4], gate: x[5], stride: 2, pad: 1)
        },
        Case([[2, 2, 3, 5], [2, 1, 1, 4], [2, 4], [5, 2], [1], [6, 2]]) { g, x in
          try g.lora(x[0], input: x[1], down: x[2], up: x[3], scale: x[4], gate: x[5])
        },
        // A gate for each of two runs of coefficients.
        Case([[2, 3, 5], [2, 3, 4], [6, 4], [5, 6], [1], [3, 2]]) { g, x in
          try g.lora(x[0], input: x[1], down: x[2], up: x[3], scale: x[4], gate: x[5])
        },
      ]
    case "lora_down":
      return [
        Case([[2, 3, 4], [6, 4], [3, 2]]) { g, x in try g.loraDown(x[0], weight: x[1], gate: x[2]) },
        Case([[1, 4, 4, 2], [4, 2, 3, 3], [4, 4]]) { g, x in
          try g.loraDown(x[0], weight: x[1], gate: x[2], stride: 2, pad: 1)
        },
      ]
    case "lora_merge":
      return [
        Case([[4, 5], [2, 5], [4, 2], [1]]) { g, x in
          try g.loraMerge(x[0], down: x[1], up: x[2], scale: x[3])
        },
        Case([[3, 2, 2, 2], [2, 2, 2, 2], [3, 2, 1, 1], [1]]) { g, x in
          try g.loraMerge(x[0], down: x[1], up: x[2], scale: x[3])
        },
      ]
    case "geglu": return [Case([[2, 3, 8]]) { g, x in try g.geglu(x[0]) }]
    default: return nil
    }
  }

  @Test(arguments: Op.all.map(\.mnemonic)) func agreesWithDifferences(_ mnemonic: String) throws {
    let cases = Self.cases(mnemonic)
    if Self.without.contains(mnemonic) {
      #expect(cases.isEmpty)
      return
    }
    #expect(!cases.isEmpty, "no test of the gradient of '\(mnemonic)'")
    for (number, test) in cases.enumerated() {
      let error = try GradientChecker.error(test, seed: UInt64(number + 1))
      #expect(error < 1e-6, "\(mnemonic), case \(number): \(error)")
    }
  }

  /// The gradient of a composite is that of its decomposition.
  @Test(arguments: ["softmax", "layer_norm", "group_norm", "attention", "lora", "geglu"])
  func decompositionsAgree(_ mnemonic: String) throws {
    for (number, test) in Self.cases(mnemonic).enumerated() {
      let decomposed = Case(test.parameters) { g, x in
        let whole = try test.build(&g, x)
        guard let node = g.producer(whole),
          let op = g[node].op.definition as? any CompositeOp
        else { return whole }
        return try op.decompose(g[node].operands, in: &g)[0]
      }
      let error = try GradientChecker.error(decomposed, seed: UInt64(number + 1))
      #expect(error < 1e-6, "\(mnemonic), case \(number): \(error)")
    }
  }

  @Test func opsWithoutAGradientSayWhy() throws {
    let t = TensorType.f32(2)
    let winograd = try #require(WinogradTransform(outputs: 2))
    let ops: [Op] = [
      .param(Param(name: "w", source: "base", type: t)), .constant(Constant([1], t)),
      .compare(Compare(.less)), .pack(Pack(t)), .quantise(Quantise()),
      .repack(Repack(t)),
      .timestepEmbedding(TimestepEmbedding(dim: 4, flipSinToCos: true, shift: 0)),
      .call(Call("k", types: [t])), .arena(Arena(byteCount: 4)),
      .subview(Subview(offset: 0, type: t)), .launch(Launch("k", outputCount: 1)),
      .gradient(Gradient()), .gram(Gram()), .attentionStatistics(AttentionStatistics(heads: 1)),
      .attentionGradient(AttentionGradient(heads: 1)),
      .winogradInput(WinogradInput(winograd)), .winogradWeight(WinogradWeight(winograd)),
      .winogradConv2d(WinogradConv2d(winograd, image: [1, 2, 2])),
    ]
    #expect(Set(ops.map(\.mnemonic)) == Self.without)
    for op in ops {
      var graph = Graph("f")
      let x = graph.parameter("x", t)
      let site = GradientSite(operands: [x], result: x, gradient: x, needs: [true])
      guard case .none(let reason) = try op.definition.gradient(site, in: &graph) else {
        Issue.record("'\(op.mnemonic)' has a gradient that nothing tests")
        continue
      }
      #expect(reason.count > 10)
    }
  }

  @Test func anOpWithoutGradientOnTheWayIsAnError() throws {
    var graph = Graph("f")
    let t = graph.parameter("t", .f32(2))
    let e = try graph.timestepEmbedding(t, dim: 4, flipSinToCos: true, shift: 0)
    let loss = try graph.reduceSum(e, axes: [0, 1])
    let seed = try graph.constant(1, graph.type(loss))
    #expect {
      _ = try graph.backpropagate([(loss, seed)], to: [t], through: graph.order)
    } throws: {
      ($0 as? Diagnostic)?.id == "differentiate.none"
        && ($0 as? Diagnostic)?.message.contains("timestep_embedding") == true
    }
  }

  @Test func valuesOffTheWayGetNoGradient() throws {
    var graph = Graph("f")
    let x = graph.parameter("x", .f32(2, 3))
    let frozen = graph.parameter("w", .f32(4, 3))
    let y = try graph.linear(x, weight: frozen)
    let loss = try graph.reduceSum(y, axes: [0, 1])
    let before = graph.order
    let seed = try graph.constant(1, graph.type(loss))
    let found = try graph.backpropagate([(loss, seed)], to: [x], through: before)
    #expect(found.gradients.count == 1)
    // The weight's gradient would contract over the two rows.
    let contractions = graph.order.dropFirst(before.count).filter {
      graph[$0].op.traits.contains(.contraction)
    }
    #expect(contractions.count == 1)
  }
}
