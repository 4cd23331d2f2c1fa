import MoscIR
import MoscLLVM

/// Contractions computed element by element: the way out for operands that no tuned kernel takes.
extension PullEmitter {
  func matmul(_ node: Node, at index: [IndexExpr]) throws -> LLVMValue {
    let (a, b) = (node.operands[0], node.operands[1])
    return try dot(graph.type(a).shape[2]) { k in
      (
        try value(a, at: [index[0], index[1], k]),
        try value(b, at: [index[0], k, index[2]])
      )
    }
  }

  func linear(_ node: Node, at index: [IndexExpr]) throws -> LLVMValue {
    let (x, weight) = (node.operands[0], node.operands[1])
    let column = index[index.count - 1]
    let bias = try node.operands.dropFirst(2).first.map { try value($0, at: [column]) }
    return try dot(graph.type(x).lastExtent, from: bias) { k in
      (try value(x, at: index.dropLast() + [k]), try value(weight, at: [column, k]))
    }
  }

  func conv2d(_ op: Conv2d, _ node: Node, at index: [IndexExpr]) throws -> LLVMValue {
    let (x, weight) = (node.operands[0], node.operands[1])
    let shape = graph.type(x).shape
    let kernel = graph.type(weight).shape
    let bias = try node.operands.dropFirst(2).first.map { try value($0, at: [index[3]]) }
    let window = [kernel[2], kernel[3], kernel[1]]
    return try dot(window.reduce(1, *), from: bias) { k in
      let tap = space.unravel(k, in: window)
      let row = index[1] * op.stride + tap[0] + -op.pad
      let column = index[2] * op.stride + tap[1] + -op.pad
      let inner = [
        index[0], space.clamp(row, extent: shape[1]), space.clamp(column, extent: shape[2]), tap[2],
      ]
      var pixel = try value(x, at: inner)
      for (place, extent) in [(row, shape[1]), (column, shape[2])]
      where !place.isInside(0..<extent) {
        pixel = choose(isInside(place, 0..<extent), pixel, e.float(0))
      }
      return (pixel, try value(weight, at: [index[3], tap[2], tap[0], tap[1]]))
    }
  }

  func loraMerge(_ node: Node, at index: [IndexExpr]) throws -> LLVMValue {
    let (weight, down, up, scale) = (
      node.operands[0], node.operands[1], node.operands[2], node.operands[3]
    )
    let base = try value(weight, at: index)
    let factor = try value(scale, at: [.zero])
    let tail = [IndexExpr](repeating: .zero, count: index.count - 2)
    let sum = try dot(graph.type(down).shape[0]) { k in
      (try value(up, at: [index[0], k] + tail), try value(down, at: [k] + index.dropFirst()))
    }
    let v = matched([sum, factor, base])
    return e.fma(v[0], v[1], v[2])
  }

  /// `a` or `b` of a group normalisation, each lane summing its own group in f64.
  ///
  /// The whole group is read for every element; `GroupAffineEmitter` computes whole results.
  func groupAffine(
    _ op: GroupAffine, _ node: Node, _ id: NodeID, at index: [IndexExpr]
  ) throws -> LLVMValue {
    let x = node.operands[0]
    let shape = graph.type(x).shape
    let width = graph.type(x).lastExtent / op.groups
    let group = space.divide(index[2], by: width).quotient
    let inner = Array(shape[1..<shape.count - 1]) + [width]
    let count = inner.reduce(1, *)
    let key = [index[1], group]
    func element(_ k: IndexExpr) throws -> LLVMValue {
      let place = space.unravel(k, in: inner)
      let channel = group * width + place[place.count - 1]
      return try value(x, at: [index[1]] + place.dropLast() + [channel])
    }
    let mean = try memo(.statistic(id, key, 0)) {
      let sum = try foldLanewise(count, .sum, element)
      return e.fdiv(sum, e.float(Double(count), like: sum))
    }
    let inverse = try memo(.statistic(id, key, 1)) {
      let sum = try foldLanewise(count, .sum) { k in
        let v = matched([try element(k), mean])
        let d = e.fsub(v[0], v[1])
        return e.fmul(d, d)
      }
      let variance = e.fdiv(sum, e.float(Double(count), like: sum))
      return e.rsqrt(e.fadd(variance, e.float(op.eps, like: variance)))
    }
    let scale = try value(node.operands[1], at: [index[2]])
    let shift = try value(node.operands[2], at: [index[2]])
    let v = matched([scale, inverse, shift, mean])
    let a = e.fmul(v[0], v[1])
    if index[0].known == 0 { return a }
    let b = e.fma(e.fneg(v[3]), a, v[2])
    return index[0].known == 1 ? b : choose(isInside(index[0], 0..<1), a, b)
  }
}
