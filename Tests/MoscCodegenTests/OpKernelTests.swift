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
      return try movement(mnemonic) ?? reductions(mnemonic) ?? contractions(mnemonic) ?? []
    }
  }

  static func movement(_ mnemonic: String) throws -> [Case]? {
    func one(
      _ shape: [Int], _ dtype: DType = .f32,
      _ build: (inout Graph, ValueID) throws -> ValueID
    ) throws -> Case {
      Case(
        graph: try kernel { g in
          let x = g.parameter("x", TensorType(dtype, shape))
          return [try build(&g, x)]
        })
    }
    switch mnemonic {
    case "reshape":
      let shapes: [([Int], [Int])] = [
        ([2, 3, 4], [6, 4]), ([2, 12, 40], [2, 3, 4, 40]), ([2, 3, 80], [2, 3, 2, 40]),
        ([4, 6], [8, 3]), ([1], []), ([7, 5], [35]), ([2, 4, 5, 16], [8, 80]),
      ]
      return try shapes.map { from, to in try one(from) { g, x in try g.reshape(x, to: to) } }
    case "slice":
      let slices: [([Int], Int, Int, Int)] = [
        ([2, 7, 5], 1, 2, 6), ([3, 80], 1, 40, 80), ([3, 80], 1, 3, 50), ([5], 0, 4, 5),
      ]
      return try slices.map { shape, axis, from, to in
        try one(shape, .bf16) { g, x in try g.slice(x, axis: axis, from: from, to: to) }
      }
    case "concat":
      let pairs: [([Int], [Int], Int)] = [
        ([2, 3, 20], [2, 3, 30], 2), ([2, 3, 4], [1, 3, 4], 0), ([2, 1, 40], [2, 5, 40], 1),
        ([3], [2], 0),
      ]
      return try pairs.map { a, b, axis in
        try one(a) { g, x in
          let y = g.parameter("y", TensorType(.f32, b))
          return try g.concat([x, y, x], axis: axis)
        }
      }
    case "pad":
      let pads: [([Int], [Int], [Int])] = [
        ([2, 3, 4, 20], [0, 1, 1, 0], [0, 1, 1, 0]), ([2, 3, 4, 3], [0, 0, 0, 2], [0, 1, 0, 5]),
        ([5], [1], [20]), ([2, 9], [1, 0], [0, 0]),
      ]
      let rings: [([Int], [Int], [Int], [Int])] = [
        ([2, 3, 4, 20], [0, 1, 1, 0], [0, 1, 1, 0], [1, 2]), ([1, 4, 3, 18], [0, 2, 1, 0], [0, 1, 3, 0], [2]),
        ([2, 3, 4, 3], [0, 1, 0, 2], [0, 3, 1, 3], [1, 3]), ([2, 20], [0, 17], [1, 20], [1]),
      ]
      return try pads.map { shape, low, high in
        try one(shape) { g, x in try g.pad(x, low: low, high: high) }
      } + rings.map { shape, low, high, wrap in
        try one(shape) { g, x in try g.pad(x, low: low, high: high, wrap: wrap) }
      }
    case "transpose":
      let orders: [([Int], [Int], DType)] = [
        ([3, 20], [1, 0], .f32), ([2, 3, 4, 40], [0, 2, 1, 3], .f32),
        ([2, 5, 37], [2, 0, 1], .i8),
        ([2, 3, 4], [0, 2, 1], .f16), ([33, 18], [1, 0], .bf16),
      ]
      return try orders.map { shape, axes, dtype in
        try one(shape, dtype) { g, x in try g.transpose(x, axes: axes) }
      }
    case "reverse":
      let reversed: [([Int], [Int])] = [
        ([3, 20], [0]), ([2, 5, 37], [2]), ([4, 6, 3, 3], [2, 3]), ([9], [0]),
      ]
      return try reversed.map { shape, axes in
        try one(shape) { g, x in try g.reverse(x, axes: axes) }
      }
    case "repack":
      let shapes: [([Int], DType, Int, Int)] = [
        ([33, 24], .f32, 32, 16), ([40, 6, 3, 3], .f32, 16, 48), ([16, 5], .f32, 16, 16),
        ([100, 70], .f32, 48, 32), ([20, 34, 2, 3], .bf16, 16, 32), ([102, 70], .bf16, 48, 64),
        ([6, 4], .bf16, 32, 16),
      ]
      return try shapes.map { shape, dtype, from, to in
        Case(
          graph: try kernel { g in
            let x = g.parameter("x", TensorType(dtype, shape, layout: .panel(from)))
            let swapped = [shape[1], shape[0]] + shape.dropFirst(2)
            let type = TensorType(dtype, swapped, layout: .panel(to))
            return [try g.emit(.repack(Repack(type)), [x])]
          })
      }
    case "broadcast":
      let shapes: [([Int], [Int])] = [
        ([1, 20], [3, 20]), ([3, 1], [3, 37]), ([1, 1, 4], [2, 3, 4]),
      ]
      return try shapes.map { from, to in
        try one(from) { g, x in try g.broadcast(x, to: to) }
      }
    case "upsample_nearest":
      let sizes: [([Int], Int, Int)] = [([2, 3, 4, 20], 6, 8), ([1, 3, 2, 3], 7, 5)]
      return try sizes.map { shape, h, w in
        try one(shape) { g, x in try g.upsampleNearest(x, height: h, width: w) }
      }
    case "gather":
      let tables: [([Int], [Int])] = [([7, 40], [2, 5]), ([3, 3], [4]), ([9, 1], [20])]
      return try tables.map { table, ids in
        try one(table) { g, x in
          try g.gather(x, ids: g.parameter("ids", TensorType(.i32, ids)))
        }
      }
    case "scatter_add":
      let tables: [([Int], Int)] = [([2, 5, 40], 7), ([4, 3], 200), ([20, 1], 3), ([9, 37], 5)]
      return try tables.map { shape, rows in
        try one(shape) { g, x in
          try g.scatterAdd(
            x, ids: g.parameter("ids", TensorType(.i32, Array(shape.dropLast()))), rows: rows)
        }
      }
    case "gram":
      let shapes = [[2, 5, 40], [3, 1], [70, 48], [130, 101], [1, 9, 150]]
      return try [1, 64].flatMap { chunk in
        try shapes.map { shape in try one(shape) { g, x in try g.gram(x, chunk: chunk) } }
      }
    case "pack":
      let weights: [([Int], DType, DType)] = [
        ([33, 24], .f32, .f32), ([40, 6, 3, 3], .f16, .bf16), ([16, 5], .bf16, .f32),
        ([100, 8, 3, 3], .f32, .bf16), ([33, 24], .f32, .q8), ([100, 300], .bf16, .q8),
        ([40, 8, 3, 3], .f16, .q8),
      ]
      let filters: [([Int], DType, DType)] = [
        ([33, 24, 3, 3], .f32, .f32), ([40, 60, 3, 3], .f16, .bf16),
      ]
      let transposed: [([Int], DType, DType)] = [
        ([24, 33], .f32, .f32), ([40, 64], .f32, .bf16), ([6, 5], .bf16, .f32),
        ([8, 100], .f16, .bf16),
      ]
      return try weights.map { shape, from, to in
        try one(shape, from) { g, x in try g.pack(x, dtype: to, panel: 48) }
      } + transposed.map { shape, from, to in
        try one(shape, from) { g, x in
          try g.pack(try g.transpose(x, axes: [1, 0]), dtype: to, panel: 48)
        }
      } + [2, 4].flatMap { outputs in
        try filters.map { shape, from, to in
          try one(shape, from) { g, x in
            let whole = try g.emit(.winogradWeight(WinogradWeight(try winograd(outputs))), [x])
            return try g.pack(whole, dtype: to, panel: 48)
          }
        }
      } + [([33, 24, 3, 3], 2), ([40, 60, 3, 3], 4)].map { shape, outputs in
        var test = try one(shape) { g, x in
          let whole = try g.emit(.winogradWeight(WinogradWeight(try winograd(outputs))), [x])
          return try g.pack(whole, dtype: .q8, panel: 48)
        }
        // Transformed in f32, a number may round the other way: one step of its scale.
        test.bounds = .init(absolute: 0.04)
        return test
      }
    case "timestep_embedding":
      let sizes: [(Int, Int, Bool)] = [(3, 40, true), (1, 320, true), (2, 6, false)]
      return try sizes.map { n, dim, flip in
        try one([n]) { g, x in
          try g.timestepEmbedding(x, dim: dim, flipSinToCos: flip, shift: flip ? 0 : 1)
        }
      }
    default: return nil
    }
  }

  static func reductions(_ mnemonic: String) throws -> [Case]? {
    let reduced: [([Int], [Int])] = [
      ([3, 17], [1]), ([2, 3, 300], [2]), ([2, 3, 20], [1]), ([4, 5, 6], [0, 2]), ([9], [0]),
      ([3, 4, 40], [1, 2]), ([5, 2], [0]), ([2, 70], [0, 1]),
    ]
    let rows: [[Int]] = [[3, 17], [2, 3, 300], [1, 1], [5, 64], [7]]
    func norm(_ shape: [Int], _ op: Op) throws -> Case {
      Case(
        graph: try kernel { g in
          let c = shape[shape.count - 1]
          let x = g.parameter("x", TensorType(.f32, shape))
          let scale = g.parameter("scale", .f32(c))
          let shift = g.parameter("shift", .f32(c))
          return [try g.emit(op, [x, scale, shift])]
        }, bounds: .init(absolute: 1e-5, relative: 1e-5))
    }
    let images: [([Int], Int)] = [
      ([2, 3, 3, 32], 4), ([1, 9, 9, 60], 6), ([2, 130, 40], 8), ([1, 4, 4, 6], 3),
      ([1, 70, 80], 1), ([3, 320], 32),
    ]
    switch mnemonic {
    case "reduce_sum":
      return try reduced.map { shape, axes in
        Case(
          graph: try kernel { g in
            [try g.reduceSum(g.parameter("x", TensorType(.f32, shape)), axes: axes)]
          }, bounds: .init(absolute: 2e-5, relative: 2e-6))
      }
    case "reduce_max":
      return try reduced.map { shape, axes in
        Case(
          graph: try kernel { g in
            [try g.reduceMax(g.parameter("x", TensorType(.bf16, shape)), axes: axes)]
          })
      }
    case "quantise":
      return try rows.map { shape in
        Case(graph: try kernel { g in [try g.quantise(g.parameter("x", TensorType(.f32, shape)))] })
      } + [
        Case(
          graph: try kernel { g in
            let x = try g.mul(g.parameter("x", .f32(2, 9, 40)), g.parameter("s", .f32(2, 1, 40)))
            return [try g.quantise(try g.cast(try g.maximum(x, try g.neg(x)), to: .bf16))]
          })
      ]
    case "softmax":
      return try rows.map { shape in
        Case(
          graph: try kernel { g in [try g.softmax(g.parameter("x", TensorType(.f32, shape)))] })
      }
    case "layer_norm": return try rows.map { try norm($0, .layerNorm(LayerNorm(eps: 1e-5))) }
    case "group_norm":
      return try images.map { try norm($0.0, .groupNorm(GroupNorm(groups: $0.1, eps: 1e-5))) }
    case "group_affine":
      return try images.map { try norm($0.0, .groupAffine(GroupAffine(groups: $0.1, eps: 1e-5))) }
    default: return nil
    }
  }

  /// Blocks that are whole vectors for every processor.
  static let blocks = AttentionBlocks(queries: 32, keys: 64, group: 2)

  static func winograd(_ outputs: Int) throws -> WinogradTransform {
    try #require(WinogradTransform(outputs: outputs))
  }

  static func contractions(_ mnemonic: String) throws -> [Case]? {
    let wide = KernelHarness.Bounds(absolute: 1e-4, relative: 1e-5)
    func build(
      _ shapes: [[Int]], _ dtype: DType = .f32, _ body: (inout Graph, [ValueID]) throws -> ValueID
    ) throws -> Case {
      Case(
        graph: try kernel { g in
          let operands = shapes.enumerated().map { i, shape in
            // Biases stay f32.
            g.parameter("x\(i)", TensorType(shape.count == 1 ? .f32 : dtype, shape))
          }
          return [try body(&g, operands)]
        }, bounds: wide)
    }
    switch mnemonic {
    case "linear":
      let quantised: [([Int], Int, Int)] = [([3, 21], 24, 100), ([37], 640, 48), ([1, 16], 700, 33)]
      return try [DType.f32, .bf16].map { dtype in
        try build([[2, 5, 24], [33, 24], [33]], dtype) { g, x in
          try g.linear(x[0], weight: x[1], bias: x[2])
        }
      }
        + quantised.map { rows, depth, columns in
          Case(
            graph: try kernel { g in
              let x = g.parameter("x", TensorType(.q8, rows + [depth]))
              let w = g.parameter("w", TensorType(.q8, [columns, depth], layout: .panel(48)))
              let tile = Tile(
                rows: 4, columns: 48, blockRows: 128, blockColumns: 48, blockDepth: 320)
              let y = try g.emit(
                .linear(Linear(tile: tile)), [x, w, g.parameter("b", .f32(columns))])
              return [try g.add(y, g.parameter("r", TensorType(.f32, rows + [columns])))]
            }, bounds: .init(absolute: 1e-3, relative: 1e-5))
        }
    case "conv2d":
      return try [
        build([[1, 5, 6, 4], [20, 4, 3, 3], [20]]) { g, x in
          try g.conv2d(x[0], weight: x[1], bias: x[2], stride: 1, pad: 1)
        },
        build([[2, 6, 6, 3], [5, 3, 3, 3]]) { g, x in
          try g.conv2d(x[0], weight: x[1], stride: 2, pad: 1)
        },
        Case(
          graph: try kernel { g in
            let x = g.parameter("x", TensorType(.q8, [12, 40]))
            let w = g.parameter("w", TensorType(.q8, [20, 40, 1, 1], layout: .panel(16)))
            let tile = Tile(
              rows: 4, columns: 16, blockRows: 128, blockColumns: 16, blockDepth: 320)
            let image = try g.reshape(x, to: [2, 3, 2, 40])
            return [try g.emit(.conv2d(Conv2d(stride: 1, pad: 0, tile: tile)), [image, w])]
          }, bounds: .init(absolute: 1e-4, relative: 1e-5)),
      ]
    case "matmul":
      let shapes: [([Int], [Int])] = [([2, 3, 20], [2, 20, 33]), ([1, 4, 5], [1, 5, 3])]
      return try shapes.map { a, b in
        try build([a, b]) { g, x in try g.matmul(x[0], x[1]) }
      }
    case "attention":
      return try [(1, 5, 5, true), (2, 9, 3, false), (4, 70, 77, false)].flatMap {
        (heads: Int, queries: Int, keys: Int, isCausal: Bool) in
        try [DType.f32, .bf16].map { dtype in
          var test = try build([[2, queries, 40], [2, keys, 40], [2, keys, 40]], dtype) { g, x in
            let op = Attention(heads: heads, isCausal: isCausal, blocks: blocks)
            return try g.emit(.attention(op), x)
          }
          // Probabilities are rounded to bf16 as well.
          if dtype == .bf16 { test.bounds = .init(absolute: 2e-2, relative: 1e-2) }
          return test
        }
      }
    case "regional_attention":
      return try [(1, 5, 3, 5, DType.f32), (2, 70, 4, 77, .f32), (2, 70, 4, 77, .bf16)].map {
        (heads: Int, queries: Int, contexts: Int, keys: Int, dtype: DType) in
        var test = try build(
          [[2, queries, 20], [2, contexts, keys, 20], [2, contexts, keys, 20]], dtype
        ) { g, x in
          let coverage = g.parameter("coverage", .f32(contexts, queries))
          let op = RegionalAttention(heads: heads, blocks: blocks)
          return try g.emit(.regionalAttention(op), x + [coverage])
        }
        if dtype == .bf16 { test.bounds = .init(absolute: 2e-2, relative: 1e-2) }
        return test
      }
    case "attention_statistics":
      return try [(1, 5, 5, true), (2, 9, 3, false), (4, 70, 77, false), (2, 6, 70, true)].flatMap {
        (heads: Int, queries: Int, keys: Int, isCausal: Bool) in
        try [DType.f32, .bf16].map { dtype in
          try build([[2, queries, 40], [2, keys, 40]], dtype) { g, x in
            let op = AttentionStatistics(heads: heads, isCausal: isCausal, blocks: blocks)
            return try g.emit(.attentionStatistics(op), x)
          }
        }
      }
    case "attention_gradient":
      let sizes: [(channels: Int, heads: Int, queries: Int, keys: Int, isCausal: Bool)] = [
        (40, 10, 5, 5, true), (40, 20, 9, 3, false), (40, 5, 70, 77, false), (40, 1, 6, 70, true),
        (164, 1, 130, 67, false), (6, 2, 67, 67, true), (80, 1, 65, 300, false),
      ]
      return try sizes.flatMap { size in
        try [DType.f32, .bf16].map { dtype in
          var test = Case(
            graph: try kernel { g in
              let (q, k) = ([2, size.queries, size.channels], [2, size.keys, size.channels])
              let x = [q, k, k, q].enumerated().map {
                g.parameter("x\($0)", TensorType(dtype, $1))
              }
              let rows = TensorType(.f32, [2, size.heads, size.queries])
              let (l, d) = (g.parameter("l", rows), g.parameter("d", rows))
              let op = AttentionGradient(
                heads: size.heads, isCausal: size.isCausal, blocks: blocks)
              return [try g.emit(.attentionGradient(op), x + [l, d])]
            })
          // So that exponentials of the random scores stay small.
          test.magnitude = 0.5
          // In bf16, probabilities and slopes are rounded before they are summed.
          test.bounds =
            dtype == .f32
            ? .init(absolute: 1e-4, relative: 1e-5) : .init(absolute: 3e-2, relative: 1e-2)
          return test
        }
      }
    case "lora":
      return try [
        build([[2, 5, 20], [2, 5, 8], [4, 8], [20, 4], [1]]) { g, x in
          try g.lora(x[0], input: x[1], down: x[2], up: x[3], scale: x[4])
        },
        build([[1, 4, 4, 20], [1, 4, 4, 8], [4, 8, 3, 3], [20, 4, 1, 1], [1]]) { g, x in
          try g.lora(x[0], input: x[1], down: x[2], up: x[3], scale: x[4], pad: 1)
        },
        build([[2, 5, 20], [2, 5, 8], [4, 8], [20, 4], [1], [5, 2]]) { g, x in
          try g.lora(x[0], input: x[1], down: x[2], up: x[3], scale: x[4], gate: x[5])
        },
      ]
    case "lora_down":
      return try [DType.f32, .bf16].flatMap { dtype in
        [
          try build([[2, 5, 8], [12, 8]], dtype) { g, x in
            try g.loraDown(x[0], weight: x[1], gate: g.parameter("gate", .f32(5, 3)))
          },
          try build([[2, 5, 5, 4], [6, 4, 3, 3]], dtype) { g, x in
            try g.loraDown(
              x[0], weight: x[1], gate: g.parameter("gate", .f32(9, 6)), stride: 2, pad: 1)
          },
        ]
      }
    case "lora_merge":
      return try [
        build([[9, 40], [4, 40], [9, 4], [1]]) { g, x in
          try g.loraMerge(x[0], down: x[1], up: x[2], scale: x[3])
        },
        build([[6, 5, 3, 3], [2, 5, 3, 3], [6, 2, 1, 1], [1]]) { g, x in
          try g.loraMerge(x[0], down: x[1], up: x[2], scale: x[3])
        },
      ]
    case "winograd_input":
      let sizes: [(Int, [Int])] = [(2, [2, 6, 4, 40]), (4, [1, 10, 6, 16]), (4, [2, 6, 6, 5])]
      return try sizes.map { outputs, shape in
        try build([shape]) { g, x in
          try g.emit(.winogradInput(WinogradInput(try winograd(outputs))), x)
        }
      }
    case "winograd_weight":
      return try [2, 4].map { outputs in
        try build([[5, 6, 3, 3]]) { g, x in
          try g.emit(.winogradWeight(WinogradWeight(try winograd(outputs))), x)
        }
      }
    case "winograd_conv2d":
      let direct = try [(2, 4), (4, 6), (4, 3)].map { outputs, edge in
        let points = (outputs + 2) * (outputs + 2)
        return try build([[points, 2, 6], [8, 6, edge, edge], [8]]) { g, x in
          let op = WinogradConv2d(try winograd(outputs), image: [1, outputs, 2 * outputs])
          return try g.emit(.winogradConv2d(op), x)
        }
      }
      let packed: [(Int, Int, Int, DType)] = [
        (2, 4, 48, .f32), (4, 6, 96, .f32), (4, 3, 96, .f32), (2, 3, 150, .bf16), (2, 4, 64, .bf16),
        (4, 3, 100, .f32), (2, 4, 64, .q8), (2, 4, 700, .q8), (4, 6, 52, .q8),
      ]
      return direct
        + (try packed.map { outputs, edge, depth, dtype in
          let points = (outputs + 2) * (outputs + 2)
          var test = Case(
            graph: try kernel { g in
              let v = g.parameter("v", TensorType(dtype, [points, 12, depth]))
              let u = g.parameter(
                "u", TensorType(dtype, [96, depth, edge, edge], layout: .panel(48)))
              let bias = g.parameter("b", .f32(96))
              let tile = Tile(
                rows: 4, columns: 48, blockRows: 8, blockColumns: 48, blockDepth: 64)
              let op = WinogradConv2d(
                try winograd(outputs), image: [2, 2 * outputs, 3 * outputs], tile: tile)
              return [try g.silu(try g.emit(.winogradConv2d(op), [v, u, bias]))]
            })
          test.bounds = .init(absolute: 1e-3, relative: 1e-4)
          return test
        })
    case "geglu":
      return try [[3, 16], [2, 3, 74]].map { shape in
        try build([shape]) { g, x in try g.geglu(x[0]) }
      }
    default: return nil
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
