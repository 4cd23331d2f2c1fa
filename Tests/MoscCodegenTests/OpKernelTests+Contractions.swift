import MoscIR

/// Products of matrices.
extension OpKernelTests {
  static func contractions(_ mnemonic: String) throws -> [Case]? {
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
    case "geglu":
      return try [[3, 16], [2, 3, 74]].map { shape in
        try build([shape]) { g, x in try g.geglu(x[0]) }
      }
    default: return nil
    }
  }
}
