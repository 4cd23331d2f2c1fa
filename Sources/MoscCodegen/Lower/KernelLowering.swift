import MoscIR
import MoscLLVM

/// Turns one kernel graph into the LLVM IR of one exported function.
///
/// A `…Lowering` finds in a graph what a kernel is generated from: its `…Spec` and buffers. A
/// `…Kernel` says how many tasks such a spec has and starts the `…Emitter` that writes their
/// instructions. Emitters of kernels that need no spec read the graph themselves.
package struct KernelLowering {
  /// The name under which every object exports its kernel: equal kernels have equal objects,
  /// whatever a module calls them.
  package static let symbol = "kernel"

  /// A stretch of independent tasks of a kernel.
  struct Part {
    let taskCount: Int
    let emit: (_ task: LLVMValue) throws -> Void
  }

  /// The inner function, which does the work.
  private static let body = "body"

  /// The symbol of a function where people look at it: the kernel's name for the inner
  /// function, so that dumps, debuggers and profilers show it, and names that begin with it for others.
  static func symbol(_ function: String, of kernel: String) -> String {
    function == body ? kernel : "\(kernel).\(function)"
  }

  /// Writes the kernel into an empty module, with line tables that point into `source` if there is
  /// one.
  ///
  /// The function takes the addresses of the parameters' buffers, then of the results'. Pointers
  /// are loaded once and handed to an inner function whose parameters do not alias.
  ///
  /// - Parameter isNamed: whether functions are named after the kernel; with a source they are.
  static func lower(
    _ kernel: Graph, into builder: IRBuilder, target: TargetFacts, source: KernelSource?,
    isNamed: Bool = false
  ) throws -> (taskCount: Int, remarks: [CodeRemark]) {
    do {
      guard let source else {
        return try write(expandComposites(kernel), builder, target, nil, isNamed: isNamed)
      }
      let lines = source.lines(for: builder)
      defer { lines.finish() }
      return try lines.at(line: source.firstLine) {
        try write(source.graph, builder, target, (lines, source), isNamed: true)
      }
    } catch let error as EmitError {
      throw LoweringError(kernel: kernel.name, error.description)
    }
  }

  private static func write(
    _ graph: Graph, _ builder: IRBuilder, _ target: TargetFacts,
    _ debug: (lines: DebugLines, source: KernelSource)?, isNamed: Bool
  ) throws -> (taskCount: Int, remarks: [CodeRemark]) {
    let e = FunctionEmitter(builder, target: target)
    e.lines = debug?.lines
    e.kernelName = isNamed ? graph.name : nil
    var taskCount = 0
    var remarks: [CodeRemark] = []
    let buffers = graph.parameters.count + graph.results.count
    let integer = builder.int(bits: 64)
    let body = try e.define(
      Self.body, [LLVMType](repeating: builder.pointer, count: buffers) + [integer, integer]
    ) { arguments in
      let pointers = Dictionary(
        zip(graph.parameters, arguments), uniquingKeysWith: { first, _ in first })
      let pull = PullEmitter(e, graph, pointers: pointers, source: debug?.source)
      let results = zip(graph.results, arguments.dropFirst(graph.parameters.count))
      let parts = try parts(pull, results.map { ($0, $1) })
      let (begin, end) = (arguments[buffers], arguments[buffers + 1])
      for part in parts {
        let first = e.max(begin, e.int(taskCount))
        let last = e.min(end, e.int(taskCount + part.taskCount))
        let start = taskCount
        try e.loop(from: parts.count == 1 ? begin : first, to: parts.count == 1 ? end : last) {
          task, _ in
          try pull.scoped { try part.emit(start == 0 ? task : e.sub(task, start)) }
          return []
        }
        taskCount += part.taskCount
      }
      remarks = pull.remarks
      return nil
    }
    e.define(symbol, [builder.pointer, integer, integer], visibility: .exported) { arguments in
      let pointers = (0..<buffers).map { index in
        builder.load(builder.pointer, e.offset(arguments[0], bytes: index * 8), align: 8)
      }
      builder.call(body, pointers + arguments.dropFirst())
      return nil
    }
    try e.finish()
    return (taskCount, remarks)
  }

  /// The parts that compute the results: tuned kernels where they apply, else loop nests for
  /// results of equal shape together.
  private static func parts(
    _ pull: PullEmitter, _ results: [(id: ValueID, pointer: LLVMValue)]
  ) throws -> [Part] {
    var parts: [Part] = []
    var groups: [(shape: [Int], results: [(id: ValueID, pointer: LLVMValue)])] = []
    for result in results {
      if let part = try tunedPart(pull, result) {
        parts.append(part)
        continue
      }
      let shape = pull.graph.type(result.id).shape
      if let index = groups.firstIndex(where: { $0.shape == shape }) {
        groups[index].results.append(result)
      } else {
        groups.append((shape, [result]))
      }
    }
    for group in groups {
      let nest = LoopNest(pull, group.results)
      parts.append(Part(taskCount: nest.taskCount) { try nest.emit(task: $0) })
    }
    return parts
  }

  /// The part for a result that a kernel of its own computes best, or nil for a loop nest.
  private static func tunedPart(
    _ pull: PullEmitter, _ result: (id: ValueID, pointer: LLVMValue)
  ) throws -> Part? {
    for id in BodyFacts(pull.graph, [result.id]).nodes.reversed() {
      let part = try pull.located(at: id) { try tunedPart(pull, at: id, result) }
      guard let part else { continue }
      return Part(taskCount: part.taskCount) { task in
        try pull.located(at: id) { try part.emit(task) }
      }
    }
    return nil
  }

  /// The part for a result of which one node is the heart, or nil.
  private static func tunedPart(
    _ pull: PullEmitter, at id: NodeID, _ result: (id: ValueID, pointer: LLVMValue)
  ) throws -> Part? {
    let node = pull.graph[id]
    switch node.op {
    case .linear, .conv2d, .loraDown:
      if let lowering = try ContractionLowering(pull, id, result) { return try lowering.part() }
    case .winogradConv2d(let op):
      if let lowering = try WinogradLowering(pull, op, id, result) { return try lowering.part() }
    case .winogradInput(let op):
      let emitter = WinogradInputEmitter(pull, op, node, result)
      return Part(taskCount: emitter.taskCount) { try emitter.emit(task: $0) }
    case .pack(let op) where node.results == [result.id]:
      return try packPart(pull, op, node, result.pointer)
    case .quantise where node.results == [result.id]:
      let emitter = QuantiseEmitter(pull, node, into: result.pointer)
      return Part(taskCount: emitter.taskCount) { try emitter.emit(task: $0) }
    case .repack(let op) where node.results == [result.id]:
      return try repackPart(pull, op, node, result.pointer)
    case .attention(let op):
      if let lowering = try AttentionLowering(pull, op, node, result) { return lowering.part() }
    case .regionalAttention(let op):
      if let lowering = try RegionalAttentionLowering(pull, op, node, result) {
        return lowering.part()
      }
    case .groupAffine(let op) where node.results == [result.id]:
      let emitter = GroupAffineEmitter(pull, op, node, into: result.pointer)
      return Part(taskCount: emitter.taskCount) { try emitter.emit(task: $0) }
    case .attentionStatistics(let op) where node.results == [result.id]:
      return try AttentionStatisticsLowering(pull, op, node, into: result.pointer).part()
    case .attentionGradient(let op) where node.results == [result.id]:
      return try AttentionGradientLowering(pull, op, node, into: result.pointer).part()
    case .scatterAdd(let op) where node.results == [result.id]:
      let emitter = try ScatterAddEmitter(pull, op, node, into: result.pointer)
      return Part(taskCount: emitter.taskCount) { try emitter.emit(task: $0) }
    case .gram(let op) where node.results == [result.id]:
      let emitter = try GramEmitter(pull, op, node, into: result.pointer)
      return Part(taskCount: emitter.taskCount) { try emitter.emit(task: $0) }
    case .groupAffine, .param, .constant, .neg, .abs, .exp, .log, .sqrt, .rsqrt, .erf, .tanh,
      .sin, .cos, .sigmoid, .silu, .gelu, .quickGelu, .cast, .add, .sub, .mul, .div, .maximum,
      .minimum, .compare, .select, .reshape, .slice, .concat, .pad, .transpose, .reverse,
      .broadcast, .upsampleNearest, .gather, .scatterAdd, .gram, .pack, .quantise, .repack, .reduceSum,
      .reduceMax, .softmax, .layerNorm, .groupNorm, .matmul, .winogradWeight, .attentionStatistics,
      .attentionGradient, .lora, .loraMerge, .geglu, .timestepEmbedding, .gradient, .call, .arena,
      .subview, .launch:
      break
    }
    return nil
  }

  /// The graph with composites that have no code of their own replaced by their definitions.
  static func expandComposites(_ graph: Graph) throws -> Graph {
    let result = try graph.rebuilt { id, operands, result throws(Diagnostic) -> [ValueID]? in
      switch graph[id].op {
      case .groupNorm(let op): try op.decompose(operands, in: &result)
      case .lora(let op): try op.decompose(operands, in: &result)
      case .loraDown(let op) where !isTuned(id, in: graph): try op.decompose(operands, in: &result)
      case .geglu(let op): try op.decompose(operands, in: &result)
      case .winogradWeight(let op) where !isPacked(id, in: graph):
        try op.decompose(operands, in: &result)
      case .winogradConv2d(let op) where graph.type(graph[id].operands[1]).layout == .dense:
        try op.decompose(operands, in: &result)
      default: nil
      }
    }
    // A branch is made of composites itself.
    return graph.order.contains { graph[$0].op.mnemonic == Lora.mnemonic }
      ? try expandComposites(result) : result
  }

  /// Whether gated coefficients are computed by the tuned kernel: from panels, with a gate in memory.
  private static func isTuned(_ id: NodeID, in graph: Graph) -> Bool {
    let operands = graph[id].operands
    return graph.type(operands[1]).layout != .dense && graph.producer(operands[2]) == nil
  }

  /// Whether all that reads a node's result is `pack`, which transforms filters itself.
  private static func isPacked(_ id: NodeID, in graph: Graph) -> Bool {
    let result = graph[id].results[0]
    if graph.results.contains(result) { return false }
    return graph.order.allSatisfy { user in
      guard graph[user].operands.contains(result) else { return true }
      if case .pack = graph[user].op { return true }
      return false
    }
  }
}
