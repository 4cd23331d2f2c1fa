import MoscCodegen
import MoscIR
import MoscLLVM
import Testing

/// Every op as a kernel of its own, compiled for both vector lengths, against the evaluator.
@Suite struct OpKernelTests {
  /// Ops that no kernel holds, with the reason.
  static let structural: [String: String] = [
    "param": "weights are parameters of kernels",
    "call": "calls kernels",
    "gradient": "a request, gone before kernels are made",
    "arena": "memory of stage buffer",
    "subview": "memory of stage buffer",
    "launch": "runs kernels",
  ]

  static let shapes: [[Int]] = [
    [1], [3], [16], [37], [2, 1], [3, 8], [5, 17], [2, 3, 4], [2, 5, 40], [1, 3, 3, 70],
  ]

  /// The types whose elements stand for themselves.
  static let elementTypes = DType.allCases.filter { $0 != .q8 }

  struct Case {
    var graph: Graph
    var bounds = KernelHarness.Bounds()
    /// The largest of the random floats.
    var magnitude: Float = 2
  }

  /// Kernels of an elementwise op over all shapes, dense and with one operand broadcast.
  static func elementwise(
    _ op: Op, _ dtypes: [DType] = [.f32], bounds: KernelHarness.Bounds = .init()
  ) throws -> [Case] {
    let count = Swift.type(of: op.definition).signature.required.count
    var result: [Case] = []
    for dtype in dtypes {
      for (i, shape) in shapes.enumerated() {
        result.append(
          Case(
            graph: try kernel { g in
              let operands = (0..<count).map { j in
                // The second operand loses an axis now and then.
                let axis = i % shape.count
                let narrow = shape.indices.map { $0 == axis ? 1 : shape[$0] }
                let kind: DType = op.mnemonic == "select" && j == 0 ? .u8 : dtype
                return g.parameter(
                  "x\(j)", TensorType(kind, j == 1 && i % 3 == 1 ? narrow : shape))
              }
              return [try g.emit(op, operands)]
            }, bounds: bounds))
      }
    }
    return result
  }

  /// A kernel of one value with operands of such shapes.
  static func build(
    _ shapes: [[Int]], _ dtype: DType = .f32, _ body: (inout Graph, [ValueID]) throws -> ValueID
  ) throws -> Case {
    Case(
      graph: try kernel { g in
        let operands = shapes.enumerated().map { i, shape in
          // Biases stay f32.
          g.parameter("x\(i)", TensorType(shape.count == 1 ? .f32 : dtype, shape))
        }
        return [try body(&g, operands)]
      }, bounds: .init(absolute: 1e-4, relative: 1e-5))
  }

  static func cases(_ mnemonic: String) throws -> [Case] {
    switch mnemonic {
    case "constant":
      var result: [Case] = []
      for shape in [[5], [3, 20]] {
        let numbers = (0..<shape.reduce(1, *)).map(Double.init)
        let literals: [(DType, [Double])] = [
          (.f32, [2.5]), (.bf16, numbers.map { $0 / 3 }), (.i32, numbers.map { $0 * 7 - 3 }),
        ]
        for (dtype, values) in literals {
          result.append(
            Case(graph: try kernel { [try $0.constant(values, TensorType(dtype, shape))] }))
        }
      }
      return result
    case "neg": return try elementwise(.neg(Neg()), [.f32, .bf16, .f16])
    case "abs": return try elementwise(.abs(Abs()), [.f32, .bf16])
    case "exp": return try elementwise(.exp(Exp()), [.f32, .bf16])
    case "log": return try elementwise(.log(Log()))
    case "sqrt": return try elementwise(.sqrt(Sqrt()))
    case "rsqrt": return try elementwise(.rsqrt(Rsqrt()))
    case "erf": return try elementwise(.erf(Erf()))
    case "tanh": return try elementwise(.tanh(Tanh()))
    case "sin": return try elementwise(.sin(Sin()))
    case "cos": return try elementwise(.cos(Cos()))
    case "sigmoid": return try elementwise(.sigmoid(Sigmoid()))
    case "silu": return try elementwise(.silu(Silu()), [.f32, .bf16, .f16])
    case "gelu": return try elementwise(.gelu(Gelu()))
    case "quick_gelu": return try elementwise(.quickGelu(QuickGelu()))
    case "add": return try elementwise(.add(Add()), elementTypes)
    case "sub": return try elementwise(.sub(Sub()), [.f32, .bf16, .i32, .u8])
    case "mul": return try elementwise(.mul(Mul()), [.f32, .f16, .i32, .i8])
    case "div":
      return try elementwise(.div(Div()), [.f32, .i32], bounds: .init(absolute: 1e-5))
    case "maximum": return try elementwise(.maximum(Maximum()), [.f32, .i32])
    case "minimum": return try elementwise(.minimum(Minimum()), [.f32, .i32])
    case "compare":
      return try Compare.Relation.allCases.flatMap {
        try elementwise(.compare(Compare($0)), [.f32, .i32])
      }
    case "select": return try elementwise(.select(Select()), [.f32, .i32])
    case "cast":
      return try elementTypes.flatMap { from in
        try elementTypes.map { to in
          Case(
            graph: try kernel { g in
              let x = g.parameter("x", TensorType(from, [3, 21]))
              return [try g.emit(.cast(Cast(TensorType(to, [3, 21]))), [x])]
            })
        }
      }
    default:
      return try movement(mnemonic) ?? reductions(mnemonic) ?? contractions(mnemonic) ?? attention(mnemonic)
        ?? winograd(mnemonic) ?? []
    }
  }

  @Test(arguments: Op.all.map(\.mnemonic)) func agreesWithTheEvaluator(_ mnemonic: String) throws {
    let cases = try Self.cases(mnemonic)
    if Self.structural[mnemonic] != nil {
      #expect(cases.isEmpty)
      return
    }
    #expect(!cases.isEmpty, "no kernel tests '\(mnemonic)'")
    for (number, test) in cases.enumerated() {
      for facts in KernelHarness.targets {
        let problem = try KernelHarness.disagreement(
          test.graph, facts: facts, seed: UInt64(number), bounds: test.bounds, magnitude: test.magnitude)
        #expect(problem == nil, "\(mnemonic) case \(number) for \(facts.cpu): \(problem ?? "")")
      }
    }
  }
}
