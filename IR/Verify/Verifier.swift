/// Checks that a module obeys the rules of its stage; this comment is their specification.
///
/// Every stage:
/// - `verify.graph-name`: graph names are unique.
/// - `verify.order`: a value is defined before it is used, and returned values are defined.
/// - `verify.arity`: each op has the operands its signature takes.
/// - `verify.types`: the types of results are those that the op infers.
/// - `verify.rate`: no value is bound earlier than the values it is computed from.
///
/// Stage tensor (`verify.tensor`): there are no kernels, calls, arenas, subviews or launches.
///
/// Stage kernel:
/// - `verify.kernel.function`: functions hold only calls, sources and views.
/// - `verify.kernel.body`: kernels hold no structural ops, no `param` and no request for gradients,
///   and return something.
/// - `verify.kernel.callee`: a call names a kernel and has its parameter and result types.
///
/// Stage buffer:
/// - `verify.buffer.function`: functions hold only arenas, subviews, launches and sources, and
///   return nothing.
/// - `verify.buffer.callee`: a launch names a kernel and has its parameter and result types.
/// - `verify.buffer.alias`: a launch does not read memory that it writes.
/// - `verify.buffer.overlap`: buffers that are live at the same time do not share bytes.
package struct Verifier {
  private let module: Module
  private var errors: [Diagnostic] = []

  /// Collects every violation in the module.
  package static func check(_ module: Module) -> [Diagnostic] {
    var verifier = Verifier(module: module)
    verifier.run()
    return verifier.errors
  }

  /// Throws every violation in the module.
  package static func verify(_ module: Module) throws(Diagnostics) {
    let errors = check(module)
    if !errors.isEmpty { throw Diagnostics(errors) }
  }

  private init(module: Module) { self.module = module }

  private mutating func run() {
    var names: Set<String> = []
    for graph in module.graphs {
      if !names.insert(graph.name).inserted {
        record("verify.graph-name", "'@\(graph.name)' is defined twice", nil, graph)
      }
      let sound = checkStructure(graph)
      guard sound else { continue }
      checkRates(graph)
      switch (module.stage, graph.kind) {
      case (.tensor, .function): checkTensor(graph)
      case (.tensor, .kernel):
        record("verify.tensor", "'@\(graph.name)' is a kernel in stage tensor", nil, graph)
      case (.kernel, .function): checkKernelFunction(graph)
      case (.kernel, .kernel), (.buffer, .kernel): checkKernelBody(graph)
      case (.buffer, .function): checkBufferFunction(graph)
      }
    }
  }

  private mutating func record(_ id: String, _ message: String, _ node: Node?, _ graph: Graph) {
    errors.append(
      Diagnostic(
        id, message, location: node?.location,
        notes: node.map { ["in '@\(graph.name)': \(Printer.print($0, in: graph))"] } ?? []))
  }

  // MARK: Every stage

  /// Whether order, arity and types hold, so that the other rules make sense.
  private mutating func checkStructure(_ graph: Graph) -> Bool {
    let before = errors.count
    var defined = SideTable<ValueTag, Bool>(default: false)
    for id in graph.parameters { defined[id] = true }
    for id in graph.order {
      let node = graph[id]
      for operand in node.operands where !defined[operand] {
        record(
          "verify.order", "'%\(graph[operand].name)' is used before it is defined", node, graph)
      }
      for result in node.results { defined[result] = true }
      let definition = node.op.definition
      let signature = type(of: definition).signature
      guard signature.accepts(node.operands.count) || node.op.traits.contains(.structural) else {
        record(
          "verify.arity", "'\(node.op.mnemonic)' does not take \(node.operands.count) operands",
          node, graph)
        continue
      }
      let found = node.results.map { graph.type($0) }
      do throws(OpError) {
        let inferred = try node.op.resultTypes(node.operands.map { graph.type($0) })
        if inferred != found {
          record("verify.types", "expected result types \(inferred), found \(found)", node, graph)
        }
      } catch {
        record("verify.types", "\(error.message) [\(error.id)]", node, graph)
      }
    }
    for id in graph.results where !defined[id] {
      record("verify.order", "returned value '%\(graph[id].name)' is not defined", nil, graph)
    }
    return errors.count == before
  }

  private mutating func checkRates(_ graph: Graph) {
    for id in graph.order {
      let node = graph[id]
      guard let earliest = node.operands.map({ graph[$0].rate }).max() else { continue }
      for result in node.results where graph[result].rate < earliest {
        record(
          "verify.rate",
          "'%\(graph[result].name)' is bound at \(graph[result].rate.name), "
            + "but an operand only at \(earliest.name)", node, graph)
      }
    }
  }

  // MARK: Stage tensor

  private mutating func checkTensor(_ graph: Graph) {
    for id in graph.order where graph[id].op.traits.contains(.structural) {
      record(
        "verify.tensor", "'\(graph[id].op.mnemonic)' does not belong in stage tensor", graph[id],
        graph)
    }
  }

  // MARK: Stage kernel

  private mutating func checkKernelFunction(_ graph: Graph) {
    for id in graph.order {
      let node = graph[id]
      switch node.op {
      case .call(let call):
        checkCallee(
          call.name, node, node.operands, node.results, graph, "verify.kernel.callee")
      case .param, .constant, .reshape, .slice:
        continue
      default:
        record(
          "verify.kernel.function",
          "'\(node.op.mnemonic)' must be inside a kernel", node, graph)
      }
    }
  }

  private mutating func checkKernelBody(_ graph: Graph) {
    if graph.results.isEmpty {
      record("verify.kernel.body", "kernel '@\(graph.name)' returns nothing", nil, graph)
    }
    for id in graph.order {
      let node = graph[id]
      var isForbidden = node.op.traits.contains(.structural)
      switch node.op {
      case .param, .gradient: isForbidden = true
      default: break
      }
      if isForbidden {
        record(
          "verify.kernel.body", "'\(node.op.mnemonic)' does not belong in a kernel", node, graph)
      }
    }
  }

  private mutating func checkCallee(
    _ name: String, _ node: Node, _ inputs: [ValueID], _ outputs: [ValueID], _ graph: Graph,
    _ id: String
  ) {
    guard let kernel = module[name], kernel.kind == .kernel else {
      record(id, "there is no kernel '@\(name)'", node, graph)
      return
    }
    let (given, wanted) = (inputs.map(graph.type), kernel.parameters.map(kernel.type))
    if given != wanted {
      record(id, "'@\(name)' takes \(wanted), found \(given)", node, graph)
    }
    let (received, produced) = (outputs.map(graph.type), kernel.results.map(kernel.type))
    if received != produced {
      record(id, "'@\(name)' gives \(produced), found \(received)", node, graph)
    }
  }

  // MARK: Stage buffer

  private mutating func checkBufferFunction(_ graph: Graph) {
    if !graph.results.isEmpty {
      record(
        "verify.buffer.function", "'@\(graph.name)' returns values instead of writing buffers",
        nil, graph)
    }
    for id in graph.order {
      let node = graph[id]
      switch node.op {
      case .launch(let launch):
        let split = node.operands.count - launch.outputCount
        let (inputs, outputs) = (Array(node.operands[..<split]), Array(node.operands[split...]))
        checkCallee(launch.kernel, node, inputs, outputs, graph, "verify.buffer.callee")
        for output in outputs {
          for input in inputs where shareMemory(input, output, graph) {
            record(
              "verify.buffer.alias",
              "'%\(graph[input].name)' is read and '%\(graph[output].name)' written in the same "
                + "memory", node, graph)
          }
        }
      case .arena, .subview, .param, .constant:
        continue
      default:
        record(
          "verify.buffer.function", "'\(node.op.mnemonic)' does not belong in stage buffer", node,
          graph)
      }
    }
    checkOverlap(graph)
  }

  /// The arena bytes of a buffer, or nil for memory from outside.
  private func extent(_ id: ValueID, _ graph: Graph) -> (arena: ValueID, bytes: Range<Int>)? {
    guard let producer = graph.producer(id), case .subview(let view) = graph[producer].op else {
      return nil
    }
    let size = max(view.type.byteCount(), 1)
    return (graph[producer].operands[0], view.offset..<view.offset + size)
  }

  private func shareMemory(_ a: ValueID, _ b: ValueID, _ graph: Graph) -> Bool {
    if a == b { return true }
    guard let first = extent(a, graph), let second = extent(b, graph) else { return false }
    return first.arena == second.arena && first.bytes.overlaps(second.bytes)
  }

  /// A buffer is live from its first launch to its last; buffers that only alias one another
  /// (written by nobody) count with their writer.
  private mutating func checkOverlap(_ graph: Graph) {
    var live: [ValueID: ClosedRange<Int>] = [:]
    var written: Set<ValueID> = []
    for (time, id) in graph.order.enumerated() {
      guard case .launch(let launch) = graph[id].op else { continue }
      for operand in graph[id].operands where extent(operand, graph) != nil {
        let start = live[operand]?.lowerBound ?? time
        live[operand] = start...time
      }
      written.formUnion(graph[id].operands.suffix(launch.outputCount))
    }
    let buffers = live.filter { written.contains($0.key) }
      .sorted { ($0.value.lowerBound, $0.key) < ($1.value.lowerBound, $1.key) }
    for (index, (a, lifeOfA)) in buffers.enumerated() {
      for (b, lifeOfB) in buffers[(index + 1)...] {
        if lifeOfB.lowerBound > lifeOfA.upperBound { break }
        if shareMemory(a, b, graph) {
          record(
            "verify.buffer.overlap",
            "'%\(graph[a].name)' and '%\(graph[b].name)' are live at the same time in the same "
              + "memory of '@\(graph.name)'", nil, graph)
        }
      }
    }
  }
}
