import MoscIR

/// What the loops over some results need to know about the body that computes them.
struct BodyFacts {
  let graph: Graph
  /// The nodes that the results depend on.
  let nodes: [NodeID]
  private let results: [ValueID]

  init(_ graph: Graph, _ results: [ValueID]) {
    self.graph = graph
    self.results = results
    var needed: Set<NodeID> = []
    var pending = results
    while let id = pending.popLast() {
      guard let node = graph.producer(id), needed.insert(node).inserted else { continue }
      pending += graph[node].operands
    }
    nodes = graph.order.filter(needed.contains)
  }

  /// The length of the code of one element.
  var size: Int { nodes.reduce(0) { $0 + graph.cost($1).codeLength } }

  /// The work per element, 1 for a copy.
  var cost: Int { nodes.reduce(1) { $0 + graph.cost($1).time } }

  /// Whether a node needs a whole row before any of its elements is known.
  var hasRowReductions: Bool {
    nodes.contains {
      switch graph[$0].op.kernelKind {
      case .rows, .reduction: true
      case .contraction, .rounded, .loopNest, .gated, .single: false
      }
    }
  }

  // MARK: Merging axes

  /// How many trailing axes can be looped over as one: those in which every value of the body is
  /// either as wide as the results or does not vary, and which no op moves about.
  func mergeableTrailingAxes(_ shape: [Int]) -> Int {
    guard shape.count > 1 else { return shape.count }
    var count = shape.count
    while count > 1, !isMergeable(shape, count) { count -= 1 }
    return count
  }

  private func isMergeable(_ shape: [Int], _ count: Int) -> Bool {
    let trailing = Array(shape.suffix(count))
    let first = shape.count - count
    func fits(_ id: ValueID) -> Bool {
      let other = graph.type(id).shape
      return other.count == shape.count
        && (Array(other.suffix(count)) == trailing
          || other.suffix(count).allSatisfy { $0 == 1 })
    }
    guard results.allSatisfy(fits) else { return false }
    return nodes.allSatisfy { id in
      let node = graph[id]
      let operands = node.operands
      guard
        let aligned = node.op.definition.alignedOperands(from: first, of: operands.count),
        (operands[aligned] + node.results).allSatisfy(fits)
      else { return false }
      return aligned.count == operands.count
        || operands[aligned].allSatisfy { graph.producer($0) == nil }
    }
  }

  // MARK: Cuts

  /// The columns at which a row changes its source, from 0 to `columns`.
  func cuts(_ columns: Int) -> [Int] {
    var result: Set<Int> = [0, columns]
    var seen: Set<Visit> = []
    for id in results { collect(id, 0, columns, &result, &seen) }
    return result.sorted()
  }

  private struct Visit: Hashable {
    var value: ValueID
    var shift: Int
  }

  /// Follows the last axis through the body; column c of the row is element `c + shift`.
  private func collect(
    _ id: ValueID, _ shift: Int, _ columns: Int, _ result: inout Set<Int>,
    _ seen: inout Set<Visit>
  ) {
    guard seen.insert(Visit(value: id, shift: shift)).inserted, let nodeID = graph.producer(id)
    else { return }
    let node = graph[nodeID]
    let last = graph.type(id).rank - 1
    guard last >= 0 else { return }
    let extent = graph.type(id).lastExtent
    func cut(_ element: Int) {
      if element - shift > 0, element - shift < columns { result.insert(element - shift) }
    }
    switch node.op {
    case .concat(let op) where op.axis == last:
      var start = 0
      for operand in node.operands {
        cut(start)
        collect(operand, shift - start, columns, &result, &seen)
        start += graph.type(operand).lastExtent
      }
    case .pad(let op):
      cut(op.low[last])
      cut(extent - op.high[last])
      collect(node.operands[0], shift - op.low[last], columns, &result, &seen)
    case .slice(let op):
      let moved = op.axis == last ? shift + op.from : shift
      collect(node.operands[0], moved, columns, &result, &seen)
    case .timestepEmbedding(let op): cut(op.dim / 2)
    default:
      for operand in node.operands where graph.type(operand).lastExtent == extent {
        collect(operand, shift, columns, &result, &seen)
      }
    }
  }
}
