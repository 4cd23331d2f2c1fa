import MoscIR
import Testing

/// The arithmetic and memory that profiles hold kernels to.
@Suite struct WorkTests {
  private func work(_ build: (inout Graph) throws -> ValueID) throws -> Work {
    var graph = Graph("k", kind: .kernel)
    graph.results = [try build(&graph)]
    return Work(of: graph)
  }

  @Test func linearWithAnEpilogue() throws {
    let work = try work { g in
      let x = g.parameter("x", .f32(3, 8))
      let y = try g.linear(x, weight: g.parameter("w", .f32(5, 8)))
      return try g.cast(try g.silu(y), to: .bf16)
    }
    #expect(work == Work(flops: 2 * 3 * 5 * 8 + 15 + 15, bytes: 4 * (24 + 40) + 2 * 15))
  }

  /// A cheaper algorithm counts as the direct one, so that rates can be compared.
  @Test func convolutionsCountAlike() throws {
    let transform = try #require(WinogradTransform(outputs: 2))
    let direct = try work { g in
      try g.conv2d(
        g.parameter("x", .f32(1, 6, 6, 3)), weight: g.parameter("w", .f32(5, 3, 3, 3)), stride: 1,
        pad: 0)
    }
    let fast = try work { g in
      let v = g.parameter("v", .f32(16, 4, 3))
      let op = WinogradConv2d(transform, image: [1, 4, 4])
      return try g.emit(.winogradConv2d(op), [v, g.parameter("u", .f32(5, 3, 4, 4))])
    }
    #expect(direct.flops == 2 * 16 * 5 * 27)
    #expect(fast.flops == direct.flops)
  }

  @Test func attentionHasTwoProducts() throws {
    let work = try work { g in
      try g.attention(
        g.parameter("q", .f32(2, 6, 8)), keys: g.parameter("k", .f32(2, 7, 8)),
        values: g.parameter("v", .f32(2, 7, 8)), heads: 2)
    }
    #expect(work.flops == 2 * 2 * (2 * 6 * 7 * 8))
  }

  @Test func movementIsNoArithmetic() throws {
    let work = try work { g in
      try g.transpose(g.parameter("x", .f32(3, 8)), axes: [1, 0])
    }
    #expect(work == Work(flops: 0, bytes: 2 * 4 * 24))
  }
}
