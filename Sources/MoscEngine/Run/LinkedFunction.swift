import MoscIR
import MoscPasses
import MoscReport
import MoscRuntime

/// A function of stage buffer whose kernels are linked: ready to run over given memory.
package struct LinkedFunction: Sendable {
  /// What an external buffer of the function is.
  package enum External: Hashable, Sendable {
    /// An input, or a value of an earlier part.
    case input(String)
    /// The result of that position.
    case output(Int)
    case weight(Param)
    case constant(Constant)
  }

  package let name: String
  package let executable: Executable
  package let externals: [External]
  /// The inputs by name, in order.
  package let inputs: [(name: String, type: TensorType, rate: Rate)]
  /// The results in order, named as the function of stage kernel names them.
  package let outputs: [(name: String, type: TensorType)]
  /// The weights that nothing reads after the launch of that index.
  package let lastReads: [Int: [Param]]
  /// The weights that each launch reads.
  package let reads: [[Param]]
  /// The weights of a megabyte or more that the launch of that index reads.
  package let largeReads: [Int: [Param]]

  /// What each launch writes: name, type, and the place among its arguments.
  package let written: [[(name: String, type: TensorType, argument: Int)]]

  /// Binds the launches of a function to kernels.
  ///
  /// - Parameter resultNames: the results' names, which bufferising may have had to change.
  package init(
    _ graph: Graph, resultNames: [String], kernels: [String: Kernel]
  ) throws {
    name = graph.name
    let outputs = graph.outputParameters
    var externals: [External] = []
    var references = SideTable<ValueTag, ArgumentReference?>(default: nil)
    var inputs: [(name: String, type: TensorType, rate: Rate)] = []
    for id in graph.parameters {
      references[id] = .external(externals.count)
      if let position = outputs.firstIndex(of: id) {
        externals.append(.output(position))
      } else {
        externals.append(.input(graph[id].name))
        inputs.append((graph[id].name, graph.type(id), graph[id].rate))
      }
    }
    var arenaBytes = 0
    var launches: [LaunchRecord] = []
    var written: [[(name: String, type: TensorType, argument: Int)]] = []
    var lastReads: [Param: Int] = [:]
    var reads: [[Param]] = []
    var largeReads: [Int: [Param]] = [:]
    for id in graph.order {
      let node = graph[id]
      switch node.op {
      case .param(let weight):
        references[node.results[0]] = .external(externals.count)
        externals.append(.weight(weight))
      case .constant(let constant):
        references[node.results[0]] = .external(externals.count)
        externals.append(.constant(constant))
      case .arena(let arena):
        arenaBytes = arena.byteCount
      case .subview(let view):
        references[node.results[0]] = .arena(view.offset)
      case .launch(let launch):
        guard let kernel = kernels[launch.kernel] else {
          throw CommandError.failure("'@\(graph.name)' launches '@\(launch.kernel)', not compiled")
        }
        reads.append([])
        for operand in node.operands {
          if case .param(let weight)? = graph.producerOp(operand) {
            reads[reads.count - 1].append(weight)
            lastReads[weight] = launches.count
            if weight.type.byteCount() >= 1 << 20 {
              largeReads[launches.count, default: []].append(weight)
            }
          }
        }
        let first = node.operands.count - launch.outputCount
        written.append(
          node.operands[first...].enumerated().map { index, id in
            (graph[id].name, graph.type(id), first + index)
          })
        launches.append(
          LaunchRecord(kernel: kernel, arguments: node.operands.compactMap { references[$0] }))
      default:
        throw CommandError.failure(
          "'@\(graph.name)' holds '\(node.op.mnemonic)', which stage buffer does not have")
      }
    }
    self.externals = externals
    self.written = written
    self.inputs = inputs
    self.outputs = outputs.enumerated().map { index, id in
      (index < resultNames.count ? resultNames[index] : graph[id].name, graph.type(id))
    }
    self.largeReads = largeReads
    self.reads = reads
    self.lastReads = Dictionary(grouping: lastReads.keys) { lastReads[$0] ?? 0 }
    executable = Executable(
      name: graph.name, launches: launches, arenaBytes: arenaBytes, externalCount: externals.count)
  }
}
