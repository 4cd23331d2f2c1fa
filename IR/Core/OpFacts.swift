/// The kind of kernel an op makes, which decides what `fuse` lets join it.
package enum KernelKind: CaseIterable, Hashable, Sendable {
  /// A sum of products: operands are kernel parameters, consumers join.
  case contraction
  /// Attention, or the squares of a Winograd convolution: operands are kernel parameters, a cast
  /// joins.
  case rounded
  /// A normalisation of rows: elementwise producers and consumers join.
  case rows
  /// Sums over axes: elementwise producers join.
  case reduction
  /// One element at a time; anything elementwise or that moves data joins, readers first. An op of
  /// this kind starts a kernel only when it fits in none of its readers'.
  case loopNest
  /// A gated unit: consumers join.
  case gated
  /// Alone.
  case single
}

/// What it costs to compute an op a second time instead of keeping its result.
package enum Repetition: CaseIterable, Hashable, Sendable {
  /// Next to nothing: every reader may compute it.
  case free
  /// Little more than reading its operands: worth it where memory is short.
  case cheap
  /// More than that: never done.
  case dear
}

/// What an op costs.
package struct OpCost: Hashable, Sendable {
  /// Floating-point operations of the whole op, two per multiplication and addition; as the direct
  /// algorithm needs them, so that the rate of a cheaper one can exceed the processor's peak.
  package var flops: Int
  /// How long the code of one element is in a loop nest, which decides how far loops are unrolled: 0
  /// for an address that differs, 1 for a few instructions, 6 for a function of 27 to 68 vector
  /// instructions (`exp`, `tanh`, `sigmoid`), 12 for one of 38 to 100 (`sin`, `log`, `erf`), as counted
  /// in code for AVX-512 and AVX2.
  package var codeLength: Int
  /// The time one element takes in a loop nest beyond that of a copy, in copies (about 0.1 ns each on
  /// a core with AVX-512). How many tasks there are depends on it, and nothing else.
  package var time: Int

  package init(flops: Int, codeLength: Int = 1, time: Int = 0) {
    self.flops = flops
    self.codeLength = codeLength
    self.time = time
  }

  /// A product of counts, at most 2⁵² (as much as a year of computing): sums of a module's costs fit.
  package static func product(_ factors: Int...) -> Int {
    factors.reduce(1) { total, factor in
      let (product, overflows) = total.multipliedReportingOverflow(by: factor)
      return overflows ? 1 << 52 : min(product, 1 << 52)
    }
  }
}

extension Op {
  /// The kind of kernel the op makes.
  package var kernelKind: KernelKind { Swift.type(of: definition).kernelKind }

  /// What it costs to compute the op twice.
  package var repetition: Repetition { Swift.type(of: definition).repetition }

  /// Whether the op only selects memory of its operand.
  package var isMemoryView: Bool { traits.contains(.view) }

  /// Whether the op costs nothing and may be repeated wherever its result is used: it renames memory
  /// or comes from outside (weights, constants).
  package var isFree: Bool { isMemoryView || traits.contains(.source) }

  /// The tile of a contraction that has one.
  package var tile: Tile? { (definition as? any TiledOp)?.tile }
}

extension Graph {
  /// What a node costs.
  package func cost(_ id: NodeID) -> OpCost {
    let node = self[id]
    return node.op.definition.cost(node.operands.map(type), node.results.map(type))
  }
}
