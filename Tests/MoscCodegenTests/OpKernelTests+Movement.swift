import MoscIR

/// Ops that move elements.
extension OpKernelTests {
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
            let whole = try g.emit(.winogradWeight(WinogradWeight(try transform(outputs))), [x])
            return try g.pack(whole, dtype: to, panel: 48)
          }
        }
      } + [([33, 24, 3, 3], 2), ([40, 60, 3, 3], 4)].map { shape, outputs in
        var test = try one(shape) { g, x in
          let whole = try g.emit(.winogradWeight(WinogradWeight(try transform(outputs))), [x])
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
}
