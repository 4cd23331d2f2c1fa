import MoscIR
import MoscLLVM

extension PullEmitter {
  /// Where a data-movement op with one operand reads the element for `index`.
  func operandIndex(_ op: Op, of node: Node, at index: [IndexExpr]) -> [IndexExpr]? {
    let shape = graph.type(node.operands[0]).shape
    switch op {
    case .reshape(let op):
      let from = op.type.shape
      if from == shape { return index }
      // Trailing axes that agree keep their index.
      var same = 0
      while same < min(from.count, shape.count),
        from[from.count - 1 - same] == shape[shape.count - 1 - same]
      { same += 1 }
      let outer = space.linear(Array(index.dropLast(same)), in: from.dropLast(same))
      return space.unravel(outer, in: shape.dropLast(same)) + index.suffix(same)
    case .slice(let op):
      var source = index
      source[op.axis] = source[op.axis] + op.from
      return source
    case .transpose(let op):
      var source = index
      for (axis, from) in op.axes.enumerated() { source[from] = index[axis] }
      return source
    case .reverse(let op):
      var source = index
      for axis in op.axes { source[axis] = index[axis] * -1 + (shape[axis] - 1) }
      return source
    case .broadcast:
      return broadcast(index, to: shape)
    case .upsampleNearest(let op):
      var source = index
      for axis in 1...2 {
        source[axis] = space.divide(index[axis] * shape[axis], by: op.type.shape[axis]).quotient
      }
      return source
    default:
      return nil
    }
  }

  /// The parts of a concatenation that an index may fall in, with the index in each part.
  func parts(
    of op: Concat, _ node: Node, at index: [IndexExpr]
  ) -> [(operand: ValueID, index: [IndexExpr], range: Range<Int>)] {
    var result: [(ValueID, [IndexExpr], Range<Int>)] = []
    var start = 0
    for operand in node.operands {
      let extent = graph.type(operand).shape[op.axis]
      defer { start += extent }
      if index[op.axis].isOutside(start..<start + extent) { continue }
      var inner = index
      inner[op.axis] = space.clamp(index[op.axis] + -start, extent: extent)
      result.append((operand, inner, start..<start + extent))
    }
    return result
  }

  func concat(_ op: Concat, _ node: Node, at index: [IndexExpr]) throws -> LLVMValue {
    var result: LLVMValue?
    for part in parts(of: op, node, at: index).reversed() {
      let value = try value(part.operand, at: part.index)
      guard let other = result else {
        result = value
        continue
      }
      let condition = isInside(index[op.axis], part.range)
      result = choose(condition, value, other)
    }
    guard let result else { throw failure("an index outside a concatenation") }
    return result
  }

  /// `a` where the condition holds; all three may be scalars or vectors.
  func choose(_ condition: LLVMValue, _ a: LLVMValue, _ b: LLVMValue) -> LLVMValue {
    let isVector = e.lanes(of: condition) > 1
    let values = isVector ? [wide(a), wide(b)] : matched([a, b])
    return e.builder.select(condition, values[0], values[1])
  }

  /// How an index of padding relates to the padded tensor.
  enum Placement {
    case inside([IndexExpr])
    case outside
    /// Known at run time: the conditions' axes, and the index moved into the tensor.
    case unknown(axes: [Int], [IndexExpr])
  }

  func placement(_ op: Pad, _ id: NodeID, at index: [IndexExpr]) -> Placement {
    let shape = graph.type(graph[id].operands[0]).shape
    let assumption = assumptions[assumption(op, id, at: index)]
    var inner = index
    var axes: [Int] = []
    for axis in shape.indices where op.low[axis] + op.high[axis] > 0 {
      if op.wrap.contains(axis) {
        // No border is wider than the tensor, so one turn is enough.
        let turned = index[axis] + (shape[axis] - op.low[axis])
        inner[axis] = space.divide(turned, by: shape[axis]).remainder
        continue
      }
      let moved = index[axis] + -op.low[axis]
      if moved.isOutside(0..<shape[axis]) { return .outside }
      let isUniform = moved.isUniform
      if isUniform, assumption == false { return .outside }
      let isKnown = moved.isInside(0..<shape[axis]) || (isUniform && assumption == true)
      if !isKnown { axes.append(axis) }
      inner[axis] = space.clamp(moved, extent: shape[axis], isInside: isKnown)
    }
    return axes.isEmpty ? .inside(inner) : .unknown(axes: axes, inner)
  }

  /// The fact that the padded axes of `index` which lanes do not vary in are all inside.
  func assumption(_ op: Pad, _ id: NodeID, at index: [IndexExpr]) -> Assumption {
    let decisive = index.indices.map {
      op.low[$0] + op.high[$0] > 0 && !op.wrap.contains($0) && index[$0].isUniform ? index[$0] : .zero
    }
    return Assumption(node: id, index: decisive)
  }

  func pad(_ op: Pad, _ id: NodeID, at index: [IndexExpr]) throws -> LLVMValue {
    let operand = graph[id].operands[0]
    let type = graph.type(operand)
    let zero = type.dtype.isFloat ? e.float(0) : e.int32(0)
    switch placement(op, id, at: index) {
    case .outside: return zero
    case .inside(let inner): return try value(operand, at: inner)
    case .unknown(let axes, let inner):
      var result = try value(operand, at: inner)
      for axis in axes {
        let low = op.low[axis]
        result = choose(isInside(index[axis], low..<low + type.shape[axis]), result, zero)
      }
      return result
    }
  }

  /// Whether the axes of padding that lanes do not vary in are all inside, as an i1.
  func uniformCondition(_ op: Pad, _ id: NodeID, at index: [IndexExpr]) -> LLVMValue? {
    guard case .unknown(let axes, _) = placement(op, id, at: index) else { return nil }
    let shape = graph.type(graph[id].operands[0]).shape
    var result: LLVMValue?
    for axis in axes where index[axis].isUniform {
      let condition = isInside(index[axis], op.low[axis]..<op.low[axis] + shape[axis])
      result = result.map { e.builder.binary(.and, $0, condition) } ?? condition
    }
    return result
  }

  /// The index of the table row that an id names, and the column.
  func gatherIndex(_ node: Node, at index: [IndexExpr]) throws -> [IndexExpr] {
    let rows = graph.type(node.operands[0]).shape[0]
    let ids = try value(node.operands[1], at: Array(index.dropLast()))
    let bounded = e.min(e.max(ids, e.int(0, like: ids)), rows - 1)
    let varies = e.lanes(of: ids) > 1
    let row = space.variable(extent: rows, varies: varies)
    variables[row] = varies ? bounded : e.builder.cast(.sext, bounded, e.i64)
    return [IndexExpr(row)] + index.suffix(1)
  }
}
