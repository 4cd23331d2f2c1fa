import MoscIR

/// Lets buffers that are never in use together share bytes of the arena.
///
/// A buffer is in use from its first launch to its last. Buffers are placed from the largest to
/// the smallest, each in the tightest gap between those that are in use at the same time.
///
/// - Stage: buffer → buffer.  Counters: `arena-bytes`; `bound-bytes`, the most that is in use at
///   once, which no plan can be below.
/// - Order: last.
/// - Source: greedy by size, Pisarchyk & Lee 2020, "Efficient memory management for deep neural
///   net inference", section 5.
package struct PlanMemory: Pass {
  package static let name = "plan-memory"
  package static let stages = (from: Stage.buffer, to: Stage.buffer)

  package init(_ options: inout PassOptions) {}

  package func run(_ module: inout Module, _ context: inout PassContext) {
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      plan(&module.graphs[index], &context)
    }
  }

  /// A buffer of the arena.
  private struct Buffer {
    var node: NodeID
    var size: Int
    var life: ClosedRange<Int>
    var offset = 0
  }

  private func plan(_ graph: inout Graph, _ context: inout PassContext) {
    guard let arena = graph.order.first(where: { graph[$0].op.mnemonic == Arena.mnemonic }) else {
      return
    }
    var buffers = buffers(of: graph)
    let order = buffers.indices.sorted { a, b in
      (-buffers[a].size, buffers[a].life.lowerBound, a)
        < (-buffers[b].size, buffers[b].life.lowerBound, b)
    }
    var placed: [Int] = []
    for index in order {
      let rivals = placed.filter { buffers[$0].life.overlaps(buffers[index].life) }
        .map { buffers[$0] }.sorted { ($0.offset, $0.size) < ($1.offset, $1.size) }
      buffers[index].offset = tightestGap(buffers[index].size, among: rivals)
      placed.append(index)
    }
    let bytes = buffers.map { $0.offset + $0.size }.max() ?? 0
    for buffer in buffers {
      guard case .subview(var view) = graph[buffer.node].op else { continue }
      view.offset = buffer.offset
      graph[buffer.node].op = .subview(view)
    }
    graph[arena].op = .arena(Arena(byteCount: bytes))
    graph[graph[arena].results[0]].type = TensorType(.u8, [bytes])
    context.count("arena-bytes", by: bytes)
    context.count("bound-bytes", by: bound(buffers))
  }

  private func buffers(of graph: Graph) -> [Buffer] {
    var lives = SideTable<ValueTag, ClosedRange<Int>?>(default: nil)
    for (time, id) in graph.order.enumerated() {
      guard case .launch = graph[id].op else { continue }
      for operand in graph[id].operands {
        lives[operand] = (lives[operand]?.lowerBound ?? time)...time
      }
    }
    return graph.order.compactMap { id in
      guard case .subview(let view) = graph[id].op else { return nil }
      let life = lives[graph[id].results[0]] ?? 0...0
      return Buffer(node: id, size: view.type.alignedByteCount, life: life)
    }
  }

  /// The start of the smallest gap that holds the size, or the end of the rivals.
  private func tightestGap(_ size: Int, among rivals: [Buffer]) -> Int {
    var best: (offset: Int, gap: Int)?
    var end = 0
    for rival in rivals {
      let gap = rival.offset - end
      if gap >= size, gap < best?.gap ?? .max { best = (end, gap) }
      end = max(end, rival.offset + rival.size)
    }
    return best?.offset ?? end
  }

  private func bound(_ buffers: [Buffer]) -> Int {
    var changes: [(time: Int, amount: Int)] = []
    for buffer in buffers {
      changes.append((buffer.life.lowerBound, buffer.size))
      changes.append((buffer.life.upperBound + 1, -buffer.size))
    }
    var (now, most) = (0, 0)
    for change in changes.sorted(by: { ($0.time, $0.amount) < ($1.time, $1.amount) }) {
      now += change.amount
      most = max(most, now)
    }
    return most
  }
}
