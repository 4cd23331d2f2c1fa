/// What a kernel has to do at least: arithmetic and memory traffic, counted from its ops.
///
/// Multiplications of contractions count as the direct algorithm does them, so that the rate of a
/// cheaper algorithm can exceed the processor's peak. Everything else but data movement
/// counts one operation per element. Memory is every parameter read and every result
/// written once.
package struct Work: Hashable, Sendable {
  /// Floating-point operations, two per multiplication and addition.
  package var flops: Int
  /// Bytes of parameters and results.
  package var bytes: Int

  package init(flops: Int = 0, bytes: Int = 0) {
    self.flops = flops
    self.bytes = bytes
  }

  /// The work of a kernel's body.
  package init(of kernel: Graph) {
    bytes = (kernel.parameters + kernel.results).reduce(0) { $0 + kernel.type($1).byteCount() }
    flops = kernel.order.reduce(0) { $0 + Self.flops($1, in: kernel) }
  }

  private static func flops(_ id: NodeID, in graph: Graph) -> Int {
    let node = graph[id]
    let result = node.results.first.map { graph.type($0) }
    let outputs = result?.count ?? 0
    func shape(_ operand: Int) -> [Int] { graph.type(node.operands[operand]).shape }
    /// Products of each output with a weight `[outputs, …]`.
    func depth(_ weight: Int) -> Int { shape(weight).dropFirst().reduce(1, *) }
    switch node.op {
    case .linear, .conv2d: return 2 * outputs * depth(1)
    case .winogradConv2d: return 2 * outputs * 9 * shape(1)[1]
    case .matmul: return 2 * outputs * (shape(0).last ?? 1)
    case .gram: return outputs * shape(0).dropLast().reduce(1, *)
    case .attention:
      // Scores and weighted values; the keys of regions are an axis of their own.
      return 4 * outputs * shape(1)[1]
    case .regionalAttention: return 4 * outputs * shape(1)[1] * shape(1)[2]
    case .attentionStatistics:
      return 2 * graph.type(node.operands[0]).count * shape(1)[1]
    case .attentionGradient: return 10 * shape(0).reduce(1, *) * shape(1)[1]
    default: return node.op.traits.isDisjoint(with: [.source, .view, .dataMovement]) ? outputs : 0
    }
  }
}
