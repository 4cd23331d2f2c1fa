import MoscIR
import MoscLLVM

/// Lowers a kernel around a Winograd convolution over packed filters.
struct WinogradLowering {
  let pull: PullEmitter
  let anchor: NodeID
  let spec: WinogradSpec
  let result: (id: ValueID, pointer: LLVMValue)

  private var node: Node { pull.graph[anchor] }

  /// - Returns: nil when squares or filters are not buffers.
  /// - Throws: when no tile is decided.
  init?(
    _ pull: PullEmitter, _ op: WinogradConv2d, _ anchor: NodeID,
    _ result: (id: ValueID, pointer: LLVMValue)
  ) throws {
    let operands = pull.graph[anchor].operands
    let (squares, filters) = (pull.graph.type(operands[0]), pull.graph.type(operands[1]))
    guard case .panel = filters.layout, pull.pointers[operands[0]] != nil,
      pull.pointers[operands[1]] != nil
    else { return nil }
    self.pull = pull
    self.anchor = anchor
    self.result = result
    spec = WinogradSpec(
      op.transform, image: op.image, channels: squares.lastExtent, columns: filters.shape[0],
      dtype: squares.dtype, transformsFilters: filters.shape[3] == 3,
      tile: try pull.tile(of: pull.graph[anchor]))
  }

  func part() throws -> KernelLowering.Part {
    KernelLowering.Part(taskCount: WinogradKernel.tasks(spec, pull.e.target)) { task in
      guard let v = pull.pointers[node.operands[0]], let u = pull.pointers[node.operands[1]] else {
        throw pull.failure("a Winograd convolution without buffers")
      }
      try WinogradKernel.emit(pull.e, spec, task: task, v: v, u: u) { _, vector in
        let epilogue = Epilogue(pull: pull, anchor: node, result: result)
        let bias = node.operands.dropFirst(2).first
        try epilogue.emit(vector.value, row: vector.row, column: vector.column, vector.count) {
          value, column in
          guard let bias else { return value }
          return pull.e.fadd(value, pull.wide(try pull.value(bias, at: [column])))
        }
      }
    }
  }
}
