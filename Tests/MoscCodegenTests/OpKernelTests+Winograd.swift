import MoscIR
import Testing

/// Winograd's convolutions.
extension OpKernelTests {
  static func transform(_ outputs: Int) throws -> WinogradTransform {
    try #require(WinogradTransform(outputs: outputs))
  }

  static func winograd(_ mnemonic: String) throws -> [Case]? {
    switch mnemonic {
    case "winograd_input":
      let sizes: [(Int, [Int])] = [(2, [2, 6, 4, 40]), (4, [1, 10, 6, 16]), (4, [2, 6, 6, 5])]
      return try sizes.map { outputs, shape in
        try build([shape]) { g, x in
          try g.emit(.winogradInput(WinogradInput(try transform(outputs))), x)
        }
      }
    case "winograd_weight":
      return try [2, 4].map { outputs in
        try build([[5, 6, 3, 3]]) { g, x in
          try g.emit(.winogradWeight(WinogradWeight(try transform(outputs))), x)
        }
      }
    case "winograd_conv2d":
      let direct = try [(2, 4), (4, 6), (4, 3)].map { outputs, edge in
        let points = (outputs + 2) * (outputs + 2)
        return try build([[points, 2, 6], [8, 6, edge, edge], [8]]) { g, x in
          let op = WinogradConv2d(try transform(outputs), image: [1, outputs, 2 * outputs])
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
                try transform(outputs), image: [2, 2 * outputs, 3 * outputs], tile: tile)
              return [try g.silu(try g.emit(.winogradConv2d(op), [v, u, bias]))]
            })
          test.bounds = .init(absolute: 1e-3, relative: 1e-4)
          return test
        })
    default: return nil
    }
  }
}
