import MoscIR
import MoscLLVM

extension KernelLowering {
  /// Packing of weights that only views separate from a parameter.
  static func packPart(
    _ pull: PullEmitter, _ op: Pack, _ node: Node, _ panels: LLVMValue
  ) throws -> Part {
    guard case .panel(let width) = op.type.layout else {
      throw pull.failure("'pack' to \(op.type), expected a panel layout")
    }
    var source = node.operands[0]
    var transform: WinogradTransform?
    if let producer = pull.graph.producer(source),
      case .winogradWeight(let winograd) = pull.graph[producer].op
    {
      transform = winograd.transform
      source = pull.graph[producer].operands[0]
    }
    let type = pull.graph.type(source)
    let dense = pull.view(of: source, counting: [type.count]) {
      $0.unravel($1[0], in: type.shape)
    }
    var spec = PackSpec(
      columns: type.shape[0], channels: type.shape[1],
      taps: type.shape.dropFirst(2).reduce(1, *), source: type.dtype, dtype: op.type.dtype,
      panel: width, winograd: transform)
    var view = dense.flatMap { $0.pitches == [1] || type.count == 1 ? $0 : nil }
    if view == nil, type.rank == 2 {
      view = pull.view(of: source, counting: type.shape) { $1 }
      if let pitches = view?.pitches, pitches[0] == 1 || type.shape[0] == 1 {
        spec.depthPitch = pitches[1]
      } else {
        view = nil
      }
    }
    guard let view, let buffer = pull.pointers[view.parameter] else {
      throw pull.failure("'pack' needs weights that lie together in a parameter")
    }
    return Part(taskCount: PackKernel.tasks(spec, pull.e.target)) { task in
      let source = pull.e.offset(buffer, bytes: view.offset * type.dtype.byteSize)
      try PackKernel.emit(pull.e, spec, task: task, source: source, panels: panels)
    }
  }

  /// The rearrangement of packed weights, which are a parameter.
  static func repackPart(
    _ pull: PullEmitter, _ op: Repack, _ node: Node, _ panels: LLVMValue
  ) throws -> Part {
    let type = pull.graph.type(node.operands[0])
    guard case .panel(let from) = type.layout, case .panel(let to) = op.type.layout,
      let source = pull.pointers[node.operands[0]]
    else { throw pull.failure("'repack' needs panels that are a parameter") }
    let spec = RepackSpec(
      columns: type.shape[0], channels: type.shape[1],
      taps: type.shape.dropFirst(2).reduce(1, *), dtype: type.dtype, from: from, to: to)
    return Part(taskCount: RepackKernel.tasks(spec, pull.e.target)) { task in
      try RepackKernel.emit(pull.e, spec, task: task, source: source, panels: panels)
    }
  }
}
