import MoscIR
import MoscLLVM

extension PullEmitter {
  /// Rows up to this many elements are kept on the stack between the passes over them.
  static let longestKeptRow = 65_536

  // MARK: Reductions

  func reduction(
    _ fold: Fold, axes: [Int], _ node: Node, at index: [IndexExpr]
  ) throws -> LLVMValue {
    let operand = node.operands[0]
    let shape = graph.type(operand).shape
    func element(_ position: IndexExpr, _ axes: [Int]) -> [IndexExpr] {
      let inner = space.unravel(position, in: axes.map { shape[$0] })
      var source = index
      for (axis, i) in zip(axes, inner) { source[axis] = i }
      return source
    }
    let count = axes.reduce(1) { $0 * shape[$1] }
    let last = shape.count - 1
    guard axes.last == last, index.allSatisfy(\.isUniform) else {
      return try foldLanewise(count, fold) { k in
        try value(operand, at: element(k, axes))
      }
    }
    func row(_ outer: [IndexExpr]) throws -> LLVMValue {
      try foldRow(shape[last], fold) { column in
        try value(operand, at: outer.dropLast() + [column])
      }
    }
    if axes.count == 1 { return try row(index) }
    let outerAxes = Array(axes.dropLast())
    return try withLanes(1, active: 1) { _ in
      try foldLanewise(count / shape[last], fold) { k in try row(element(k, outerAxes)) }
    }
  }

  // MARK: Rows kept on the stack

  /// Whether reading an element costs no more than a load.
  private func isCheap(_ id: ValueID) -> Bool {
    guard let node = graph.producer(id) else { return true }
    switch graph[node].op {
    case .reshape, .slice, .transpose: return isCheap(graph[node].operands[0])
    case .constant: return true
    default: return false
    }
  }

  /// Reads a row that an earlier pass kept, or computes the element again.
  private func keptRow(
    _ kept: LLVMValue?, _ columns: Int, _ column: IndexExpr, _ make: () throws -> LLVMValue
  ) rethrows -> LLVMValue {
    guard let kept else { return try make() }
    return load(.f32, kept, offset: column, columns)
  }

  func keep(_ value: LLVMValue, in slot: LLVMValue, _ column: IndexExpr) {
    let start = lane.map { column - IndexExpr($0) } ?? column
    e.store(
      lane == nil ? value : wide(value), as: .f32, e.element(slot, scalar(start), .f32),
      count: active)
  }

  // MARK: Layer normalisation

  /// The row's mean, reciprocal deviation, and the row itself when it was costly to compute.
  private func layerStatistics(
    _ op: LayerNorm, _ id: NodeID, _ outer: [IndexExpr]
  ) throws -> (mean: LLVMValue, inverse: LLVMValue, row: LLVMValue?) {
    let operand = graph[id].operands[0]
    let columns = graph.type(operand).lastExtent
    if let mean = remembered(.statistic(id, outer, 0)),
      let inverse = remembered(.statistic(id, outer, 1))
    {
      return (mean, inverse, remembered(.statistic(id, outer, 2)))
    }
    let isKept = !isCheap(operand) && columns <= Self.longestKeptRow
    let slot = isKept ? e.stackSlot(bytes: (columns + e.lanes) * 4) : nil
    let scale = e.float(1 / Double(columns))
    let sum = try foldRow(columns, .sum) { column in
      let x = try value(operand, at: outer + [column])
      if let slot { keep(x, in: slot, column) }
      return x
    }
    let mean = e.fmul(sum, scale)
    let squares = try foldRow(columns, .sum) { column in
      let x = try keptRow(slot, columns, column) { try value(operand, at: outer + [column]) }
      let d = e.fsub(wide(x), wide(mean))
      return e.fmul(d, d)
    }
    let inverse = e.rsqrt(e.fma(squares, scale, e.float(op.eps)))
    remember(.statistic(id, outer, 0), mean)
    remember(.statistic(id, outer, 1), inverse)
    if let slot { remember(.statistic(id, outer, 2), slot) }
    return (mean, inverse, slot)
  }

  func layerNorm(_ op: LayerNorm, _ id: NodeID, at index: [IndexExpr]) throws -> LLVMValue {
    let node = graph[id]
    guard let column = index.last, index.dropLast().allSatisfy(\.isUniform) else {
      throw failure("layer_norm across lanes of several rows")
    }
    let outer = Array(index.dropLast())
    let (mean, inverse, row) = try layerStatistics(op, id, outer)
    let x = try keptRow(row, graph.type(node.operands[0]).lastExtent, column) {
      try value(node.operands[0], at: index)
    }
    let scale = try value(node.operands[1], at: [column])
    let shift = try value(node.operands[2], at: [column])
    let v = matched([x, mean, inverse, scale, shift])
    return e.fma(e.fmul(e.fsub(v[0], v[1]), v[2]), v[3], v[4])
  }

  // MARK: Softmax

  /// The row's largest element, reciprocal sum of exponentials, and the exponentials.
  private func softmaxStatistics(
    _ id: NodeID, _ outer: [IndexExpr]
  ) throws -> (top: LLVMValue, inverse: LLVMValue, row: LLVMValue?) {
    let operand = graph[id].operands[0]
    let columns = graph.type(operand).lastExtent
    if let top = remembered(.statistic(id, outer, 0)),
      let inverse = remembered(.statistic(id, outer, 1))
    {
      return (top, inverse, remembered(.statistic(id, outer, 2)))
    }
    let isKept = columns <= Self.longestKeptRow
    let slot = isKept ? e.stackSlot(bytes: (columns + e.lanes) * 4) : nil
    let top = try foldRow(columns, .max) { column in
      let x = try value(operand, at: outer + [column])
      if let slot { keep(x, in: slot, column) }
      return x
    }
    let sum = try foldRow(columns, .sum) { column in
      let x = try keptRow(slot, columns, column) { try value(operand, at: outer + [column]) }
      let exponential = e.exp(e.fsub(wide(x), wide(top)))
      if let slot { keep(exponential, in: slot, column) }
      return exponential
    }
    let inverse = e.fdiv(e.float(1), sum)
    remember(.statistic(id, outer, 0), top)
    remember(.statistic(id, outer, 1), inverse)
    if let slot { remember(.statistic(id, outer, 2), slot) }
    return (top, inverse, slot)
  }

  func softmax(_ id: NodeID, at index: [IndexExpr]) throws -> LLVMValue {
    let operand = graph[id].operands[0]
    guard let column = index.last, index.dropLast().allSatisfy(\.isUniform) else {
      throw failure("softmax across lanes of several rows")
    }
    let (top, inverse, row) = try softmaxStatistics(id, Array(index.dropLast()))
    let exponential = try keptRow(row, graph.type(operand).lastExtent, column) {
      let v = matched([try value(operand, at: index), top])
      return e.exp(e.fsub(v[0], v[1]))
    }
    let v = matched([exponential, inverse])
    return e.fmul(v[0], v[1])
  }

  /// Computes the statistics of a row reduction ahead of the loop over columns.
  func prepareRow(_ id: NodeID, _ outer: [IndexExpr]) throws {
    switch graph[id].op {
    case .layerNorm(let op): _ = try layerStatistics(op, id, outer)
    case .softmax: _ = try softmaxStatistics(id, outer)
    default: break
    }
  }
}
