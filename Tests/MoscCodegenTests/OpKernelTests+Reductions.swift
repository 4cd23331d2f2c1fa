import MoscIR

/// Ops that reduce axes.
extension OpKernelTests {
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
}
