import MoscIR

/// How the nodes of a function feed one another when free ops are seen through.
///
/// Reshapes and slices that strides can describe, and small constants, are transparent: they are
/// repeated inside every kernel that reads through them. A view that is a result of the function is
/// not, since a kernel has to write it.
struct DataFlow {
  /// The largest constant that is copied into kernels.
  static let largestConstant = 4096

  /// One read of a value by a node, through views.
  struct Use {
    var user: NodeID
    var operand: Int
    /// The views between, the one nearest to the value first.
    var path: [NodeID]
  }

  let graph: Graph
  private(set) var isTransparent = SideTable<NodeTag, Bool>(default: false)
  private(set) var uses = SideTable<ValueTag, [Use]>(default: [])
  let results: Set<ValueID>

  init(_ graph: Graph) {
    self.graph = graph
    results = Set(graph.results)
    var views = SideTable<ValueTag, StridedView?>(default: nil)
    for id in graph.order {
      let node = graph[id]
      if case .constant(let constant) = node.op {
        isTransparent[id] =
          constant.values.count == 1 || constant.type.count <= Self.largestConstant
      }
      guard node.op.isMemoryView, !results.contains(node.results[0]) else { continue }
      let source = node.operands[0]
      guard graph.type(source).layout == .dense else { continue }
      let base = views[source] ?? StridedView(dense: graph.type(source).shape)
      let view: StridedView? =
        switch node.op {
        case .slice(let op): base.slice(axis: op.axis, from: op.from, to: op.to)
        default: base.reshape(to: graph.type(node.results[0]).shape)
        }
      isTransparent[id] = view != nil
      views[node.results[0]] = view
    }
    for id in graph.order where !isTransparent[id] {
      for (index, operand) in graph[id].operands.enumerated() {
        let (memory, path) = memory(operand)
        uses[memory].append(Use(user: id, operand: index, path: path.reversed()))
      }
    }
  }

  /// The value behind transparent views, and the views from the given value backwards.
  func memory(_ value: ValueID) -> (value: ValueID, path: [NodeID]) {
    var (value, path) = (value, [NodeID]())
    while let producer = graph.producer(value), graph[producer].op.isMemoryView,
      isTransparent[producer]
    {
      path.append(producer)
      value = graph[producer].operands[0]
    }
    return (value, path)
  }

  /// The nodes that kernels have to compute.
  var computed: [NodeID] {
    graph.order.filter { !isTransparent[$0] && !graph[$0].op.traits.contains(.source) }
  }
}
