import MoscIR
import MoscLLVM

extension PullEmitter {
  /// Lowers one element (or vector of elements) of a node: the place where every op is handled.
  ///
  /// The result says whether the value is already one its element type can hold.
  func compute(
    _ id: NodeID, at index: [IndexExpr]
  ) throws -> (value: LLVMValue, isRounded: Bool) {
    let node = graph[id]
    func exact(_ value: LLVMValue) -> (LLVMValue, Bool) { (value, true) }
    func inexact(_ value: LLVMValue) -> (LLVMValue, Bool) { (value, false) }
    switch node.op {
    case .constant(let op): return exact(try constant(op, id, at: index))

    case .neg: return exact(try unary(node, at: index, e.fneg))
    case .abs: return exact(try unary(node, at: index, e.fabs))
    case .exp: return inexact(try unary(node, at: index, e.exp))
    case .log: return inexact(try unary(node, at: index, e.log))
    case .sqrt: return inexact(try unary(node, at: index, e.sqrt))
    case .rsqrt: return inexact(try unary(node, at: index, e.rsqrt))
    case .erf: return inexact(try unary(node, at: index, e.erf))
    case .tanh: return inexact(try unary(node, at: index, e.tanh))
    case .sin: return inexact(try unary(node, at: index, e.sin))
    case .cos: return inexact(try unary(node, at: index, e.cos))
    case .sigmoid: return inexact(try unary(node, at: index, e.sigmoid))
    case .silu: return inexact(try unary(node, at: index, e.silu))
    case .gelu: return inexact(try unary(node, at: index, e.gelu))
    case .quickGelu:
      return inexact(
        try unary(node, at: index) { x in
          e.fmul(x, e.sigmoid(e.fmul(x, e.float(1.702, like: x))))
        })
    case .cast(let op): return inexact(try cast(op, node, at: index))

    case .add: return inexact(try binary(node, at: index, e.fadd))
    case .sub: return inexact(try binary(node, at: index, e.fsub))
    case .mul: return inexact(try binary(node, at: index, e.fmul))
    case .div: return inexact(try binary(node, at: index, e.fdiv))
    case .maximum: return exact(try binary(node, at: index, e.fmax))
    case .minimum: return exact(try binary(node, at: index, e.fmin))
    case .compare(let op): return exact(try compare(op, node, at: index))
    case .select: return exact(try select(node, at: index))

    case .reshape, .slice, .transpose, .reverse, .broadcast, .upsampleNearest:
      guard let source = operandIndex(node.op, of: node, at: index) else {
        throw failure("no index map for '\(node.op.mnemonic)'")
      }
      return exact(try value(node.operands[0], at: source))
    case .concat(let op): return exact(try concat(op, node, at: index))
    case .pad(let op): return exact(try pad(op, id, at: index))
    case .gather:
      return exact(try value(node.operands[0], at: try gatherIndex(node, at: index)))

    case .reduceSum(let op):
      return inexact(try reduction(.sum, axes: op.axes, node, at: index))
    case .reduceMax(let op):
      return exact(try reduction(.max, axes: op.axes, node, at: index))
    case .softmax: return inexact(try softmax(id, at: index))
    case .layerNorm(let op): return inexact(try layerNorm(op, id, at: index))
    case .groupAffine(let op): return inexact(try groupAffine(op, node, id, at: index))

    case .linear: return inexact(try linear(node, at: index))
    case .conv2d(let op): return inexact(try conv2d(op, node, at: index))
    case .matmul: return inexact(try matmul(node, at: index))
    case .loraMerge: return inexact(try loraMerge(node, at: index))
    case .timestepEmbedding(let op):
      return inexact(try timestepEmbedding(op, node, id, at: index))

    case .attention, .regionalAttention, .attentionStatistics, .attentionGradient, .scatterAdd,
      .gram, .pack, .quantise, .repack, .winogradInput:
      throw failure("'\(node.op.mnemonic)' must be the kernel's result")
    case .groupNorm, .lora, .loraDown, .geglu, .winogradWeight, .winogradConv2d:
      throw failure("composite '\(node.op.mnemonic)' was not expanded")
    case .param, .gradient, .call, .arena, .subview, .launch:
      throw failure("'\(node.op.mnemonic)' cannot stand in a kernel")
    }
  }

  /// The operand elements that an element of a node depends on, as far as they are known before
  /// the code for it is written; used to compute what all columns of a row share.
  func dependencies(
    _ id: NodeID, at index: [IndexExpr]
  ) -> [(operand: ValueID, index: [IndexExpr])] {
    let node = graph[id]
    func elementwise() -> [(ValueID, [IndexExpr])] {
      node.operands.map { ($0, broadcast(index, to: graph.type($0).shape)) }
    }
    switch node.op {
    case .neg, .abs, .exp, .log, .sqrt, .rsqrt, .erf, .tanh, .sin, .cos, .sigmoid, .silu, .gelu,
      .quickGelu, .cast, .add, .sub, .mul, .div, .maximum, .minimum, .compare, .select:
      return elementwise()
    case .reshape, .slice, .transpose, .reverse, .broadcast, .upsampleNearest:
      return operandIndex(node.op, of: node, at: index).map { [(node.operands[0], $0)] } ?? []
    case .concat(let op):
      return parts(of: op, node, at: index).map { ($0.operand, $0.index) }
    case .pad(let op):
      switch placement(op, id, at: index) {
      case .outside: return []
      case .inside(let inner), .unknown(_, let inner): return [(node.operands[0], inner)]
      }
    case .gather: return [(node.operands[1], Array(index.dropLast()))]
    case .layerNorm:
      let column = [index[index.count - 1]]
      return [(node.operands[0], index), (node.operands[1], column), (node.operands[2], column)]
    case .softmax: return [(node.operands[0], index)]
    case .timestepEmbedding: return [(node.operands[0], [index[0]])]
    case .loraMerge: return [(node.operands[0], index), (node.operands[3], [.zero])]
    case .constant, .reduceSum, .reduceMax, .groupAffine, .linear, .conv2d, .matmul, .attention,
      .regionalAttention, .attentionStatistics, .attentionGradient, .scatterAdd, .gram, .pack,
      .quantise, .repack, .winogradInput, .winogradWeight, .winogradConv2d, .groupNorm, .lora,
      .loraDown, .geglu, .param, .gradient, .call, .arena, .subview, .launch:
      return []
    }
  }
}
