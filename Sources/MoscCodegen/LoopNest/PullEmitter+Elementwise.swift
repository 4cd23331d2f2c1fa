import MoscIR
import MoscLLVM

extension PullEmitter {
  /// Applies an f32 function.
  func unary(
    _ node: Node, at index: [IndexExpr], _ function: (LLVMValue) -> LLVMValue
  ) throws -> LLVMValue {
    function(try value(node.operands[0], at: index))
  }

  /// Applies a function of two operands that broadcast; integers are computed in f64 and
  /// saturate, as the evaluator does.
  func binary(
    _ node: Node, at index: [IndexExpr],
    _ function: (LLVMValue, LLVMValue) -> LLVMValue
  ) throws -> LLVMValue {
    let operands = matched(try broadcastOperands(node, at: index))
    let dtype = graph.type(node.operands[0]).dtype
    if dtype.isFloat { return function(operands[0], operands[1]) }
    let double = e.type(e.builder.double, like: operands[0])
    let wide = operands.map { e.builder.cast(.sitofp, $0, double) }
    return integer(function(wide[0], wide[1]), dtype)
  }

  /// The operands of an elementwise op at the elements that broadcasting pairs up.
  func broadcastOperands(_ node: Node, at index: [IndexExpr]) throws -> [LLVMValue] {
    try node.operands.map {
      try value($0, at: broadcast(index, to: graph.type($0).shape))
    }
  }

  /// Floating-point lanes truncated and saturated to an integer type, held as i32; NaN becomes 0.
  func integer(_ value: LLVMValue, _ dtype: DType) -> LLVMValue {
    let i32 = e.type(e.i32, like: value)
    let number = e.call("llvm.fptosi.sat", [i32, value.type], [value])
    func clamp(_ low: Int, _ high: Int) -> LLVMValue {
      e.min(e.max(number, e.int(low, like: number)), high)
    }
    switch dtype {
    case .u8: return clamp(0, 255)
    case .i8: return clamp(-128, 127)
    case .i32, .f32, .bf16, .f16, .q8: return number
    }
  }

  /// Converts between the ways of holding floats and integers; rounding to bf16 or f16 follows.
  func cast(_ op: Cast, _ node: Node, at index: [IndexExpr]) throws -> LLVMValue {
    let source = try value(node.operands[0], at: index)
    let from = graph.type(node.operands[0]).dtype
    switch (from.isFloat, op.type.dtype.isFloat) {
    case (true, true): return source
    case (true, false): return integer(source, op.type.dtype)
    case (false, true): return e.builder.cast(.sitofp, source, e.type(e.f32, like: source))
    case (false, false):
      let double = e.type(e.builder.double, like: source)
      return integer(e.builder.cast(.sitofp, source, double), op.type.dtype)
    }
  }

  /// 1 where the relation holds, else 0.
  func compare(_ op: Compare, _ node: Node, at index: [IndexExpr]) throws -> LLVMValue {
    let operands = matched(try broadcastOperands(node, at: index))
    let (a, b) = (operands[0], operands[1])
    let holds: LLVMValue
    if graph.type(node.operands[0]).dtype.isFloat {
      let predicate: FloatPredicate =
        switch op.relation {
        case .less: .less
        case .lessOrEqual: .lessOrEqual
        case .equal: .equal
        case .notEqual: .notEqual
        case .greaterOrEqual: .greaterOrEqual
        case .greater: .greater
        }
      holds = e.builder.compareFloats(predicate, a, b)
    } else {
      let predicate: IntPredicate =
        switch op.relation {
        case .less: .less
        case .lessOrEqual: .lessOrEqual
        case .equal: .equal
        case .notEqual: .notEqual
        case .greaterOrEqual: .greaterOrEqual
        case .greater: .greater
        }
      holds = e.builder.compare(predicate, a, b)
    }
    return e.builder.cast(.zext, holds, e.type(e.i32, like: a))
  }

  func select(_ node: Node, at index: [IndexExpr]) throws -> LLVMValue {
    let operands = matched(try broadcastOperands(node, at: index))
    let isTrue = e.builder.compare(.notEqual, operands[0], e.int(0, like: operands[0]))
    return e.builder.select(isTrue, operands[1], operands[2])
  }

  /// `[cos(t·f), sin(t·f)]` or sine first.
  func timestepEmbedding(
    _ op: TimestepEmbedding, _ node: Node, _ id: NodeID, at index: [IndexExpr]
  ) throws -> LLVMValue {
    let half = op.dim / 2
    let t = try value(node.operands[0], at: [index[0]])
    let column = index[1]
    let (_, position) = space.divide(column, by: half)
    let table = e.builder.table(op.frequencies, name: "frequencies\(id.index)")
    let frequency = load(.f32, table, offset: position, half)
    let factors = matched([t, frequency])
    let phase = e.fmul(factors[0], factors[1])
    func part(isFirst: Bool) -> LLVMValue {
      isFirst == op.flipSinToCos ? e.cos(phase) : e.sin(phase)
    }
    if column.isInside(0..<half) { return part(isFirst: true) }
    if column.isInside(half..<op.dim) { return part(isFirst: false) }
    let isFirst = isInside(column, 0..<half)
    return e.builder.select(isFirst, part(isFirst: true), part(isFirst: false))
  }
}
