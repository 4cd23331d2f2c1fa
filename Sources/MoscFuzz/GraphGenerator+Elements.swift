import MoscIR

/// Ops on elements, and ops that move them.
extension GraphGenerator {
  mutating func unary() throws -> Bool {
    let kind = Int.random(in: 0..<16, using: &numbers)
    guard
      let x = operand({ entry, _ in
        switch kind {
        case 0: entry.high <= 3
        case 1, 2, 3: entry.low >= 0.2
        default: true
        }
      })
    else { return false }
    let (low, high) = (x.low, x.high)
    let bound = max(abs(low), abs(high))
    func emit(_ op: Op) throws -> ValueID { try graph.emit(op, [x.id]) }
    switch kind {
    case 0: return try add(try emit(.exp(Exp())), 0.0, 21)
    case 1: return try add(try emit(.log(Log())), -2, 4)
    case 2: return try add(try emit(.sqrt(Sqrt())), 0.4, 7)
    case 3: return try add(try emit(.rsqrt(Rsqrt())), 0.1, 2.3)
    case 4: return try add(try emit(.erf(Erf())), -1, 1)
    case 5: return try add(try emit(.tanh(Tanh())), -1, 1)
    case 6: return try add(try emit(.sin(Sin())), -1, 1)
    case 7: return try add(try emit(.cos(Cos())), -1, 1)
    case 8: return try add(try emit(.sigmoid(Sigmoid())), 0, 1)
    case 9, 10: return try add(try emit(.silu(Silu())), -0.3, bound)
    case 11: return try add(try emit(.gelu(Gelu())), -0.2, bound)
    case 12: return try add(try emit(.quickGelu(QuickGelu())), -0.2, bound)
    case 13: return try add(try emit(.neg(Neg())), -high, -low, isExact: x.isExact)
    case 14: return try add(try emit(.abs(Abs())), 0, bound, isExact: x.isExact)
    default:
      guard x.isExact else { return false }
      let narrow = try graph.cast(x.id, to: pick([.bf16, .f16, .i32, .u8, .i8]))
      return try add(try graph.cast(narrow, to: .f32), low - 0.1, high + 0.1, isExact: true)
    }
  }

  mutating func binary() throws -> Bool {
    let kind = Int.random(in: 0..<8, using: &numbers)
    guard let a = operand({ entry, _ in kind < 6 || entry.isExact }) else { return false }
    var b = operand { [graph] entry, shape in
      shape == graph.type(a.id).shape && (kind < 6 || entry.isExact)
    }
    let wanted = shape(a)
    if Bool.random(using: &numbers) || b == nil {
      // A fresh operand that lacks some axes.
      let narrow = wanted.map { Int.random(in: 0..<3, using: &numbers) == 0 ? 1 : $0 }
      if Bool.random(using: &numbers) {
        b = input(narrow)
      } else {
        let values = (0..<narrow.reduce(1, *)).map { _ in
          Double(Float.random(in: 0.5...2, using: &numbers))
        }
        let id = try graph.constant(values, TensorType(.f32, narrow))
        b = Entry(id: id, low: 0.5, high: 2, isExact: true)
      }
    }
    guard let b else { return false }
    func emit(_ op: Op) throws -> ValueID { try graph.emit(op, [a.id, b.id]) }
    let products = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high]
    let (low, high) = (min(a.low, b.low), max(a.high, b.high))
    switch kind {
    case 0: return try add(try emit(.add(Add())), a.low + b.low, a.high + b.high)
    case 1: return try add(try emit(.sub(Sub())), a.low - b.high, a.high - b.low)
    case 2:
      return try add(try emit(.mul(Mul())), products.min() ?? 0, products.max() ?? 0)
    case 3:
      guard b.low >= 0.25 else { return false }
      let bound = max(abs(a.low), abs(a.high)) / b.low
      return try add(try emit(.div(Div())), -bound, bound)
    case 4: return try add(try emit(.maximum(Maximum())), low, high)
    case 5: return try add(try emit(.minimum(Minimum())), low, high)
    default:
      let relation = pick(Compare.Relation.allCases)
      let mask = try graph.compare(a.id, b.id, is: relation)
      let c = operand { [graph] _, shape in shape == graph.type(mask).shape } ?? a
      let chosen = try graph.select(mask, c.id, a.id)
      return try add(
        chosen, min(a.low, c.low), max(a.high, c.high), isExact: a.isExact && c.isExact)
    }
  }

  mutating func movement() throws -> Bool {
    guard let x = operand({ _, shape in shape.reduce(1, *) <= 2000 }) else { return false }
    let extents = shape(x)
    let axis = Int.random(in: 0..<extents.count, using: &numbers)
    let result: ValueID
    var (low, high) = (x.low, x.high)
    switch Int.random(in: 0..<8, using: &numbers) {
    case 0:
      result = try graph.reshape(x.id, to: reshaped(extents))
    case 1:
      let from = Int.random(in: 0..<extents[axis], using: &numbers)
      let to = Int.random(in: from + 1...extents[axis], using: &numbers)
      result = try graph.slice(x.id, axis: axis, from: from, to: to)
    case 2:
      let other = operand { [graph] _, shape in
        let type = graph.type(x.id)
        return shape.count == type.rank
          && shape.indices.allSatisfy { $0 == axis || shape[$0] == type.shape[$0] }
      }
      guard let other else { return false }
      (low, high) = (min(low, other.low), max(high, other.high))
      result = try graph.concat([x.id, other.id], axis: axis)
      return try add(result, low, high, isExact: x.isExact && other.isExact)
    case 3:
      let widths = extents.map { _ in pick([0, 0, 1, 2]) }
      let after = extents.map { _ in pick([0, 1]) }
      let wrap = extents.indices.filter { max(widths[$0], after[$0]) <= extents[$0] && pick([false, false, true]) }
      result = try graph.pad(x.id, low: widths, high: after, wrap: wrap)
      (low, high) = (min(0, low), max(0, high))
    case 4:
      var axes = Array(extents.indices)
      axes.shuffle(using: &numbers)
      result = try graph.transpose(x.id, axes: axes)
    case 5:
      result = try graph.broadcast(x.id, to: extents.map { $0 == 1 ? pick([1, 3]) : $0 })
    case 6:
      guard extents.count == 4 else { return false }
      let factor = pick([1, 2])
      result = try graph.upsampleNearest(
        x.id, height: extents[1] * 2, width: extents[2] * factor + pick([0, 1]))
    default:
      guard extents.count == 2 else { return false }
      let ids = indices([pick([1, 2]), pick([1, 6])])
      result = try graph.gather(x.id, ids: ids)
    }
    return try add(result, low, high, isExact: x.isExact)
  }

  /// The same number of elements with axes merged or split.
  private mutating func reshaped(_ extents: [Int]) -> [Int] {
    var shape = extents
    if shape.count > 2, Bool.random(using: &numbers) {
      let axis = Int.random(in: 0..<shape.count - 1, using: &numbers)
      shape[axis] *= shape.remove(at: axis + 1)
    } else if let axis = shape.lastIndex(where: { $0 % 2 == 0 }), shape.count < 5 {
      shape[axis] /= 2
      shape.insert(2, at: axis + pick([0, 1]))
    }
    return shape
  }
}
