import MoscIR

/// Draws small random functions over every op that models may contain.
///
/// Each value carries bounds of its elements, so that functions stay in their well-conditioned
/// range, and whether it is exact, so that no comparison hangs on the last bit of a sum.
package struct GraphGenerator {
  struct Entry {
    var id: ValueID
    var low: Double
    var high: Double
    /// Made of inputs without arithmetic.
    var isExact: Bool
  }

  package private(set) var graph = Graph("f")
  /// The weights that `param` ops name, in declaration `w`.
  package private(set) var weights: [String: HostTensor] = [:]
  private var pool: [Entry] = []
  private var numbers: SeededNumbers
  private var parameters = 0

  /// A function of `size` ops or a few more.
  package init(seed: UInt64, size: Int) throws {
    numbers = SeededNumbers(seed)
    for _ in 0..<Int.random(in: 1...2, using: &numbers) { input(randomShape()) }
    var drawn = 0
    var attempts = 0
    while drawn < size, attempts < size * 20 {
      attempts += 1
      if try step() { drawn += 1 }
    }
    // What nothing reads is a result; at least one value is computed.
    let users = graph.users()
    let ends = pool.filter { users[$0.id].isEmpty && graph.producer($0.id) != nil }
    graph.results = (ends.isEmpty ? [pool[pool.count - 1]] : ends).map(\.id)
  }

  // MARK: Inputs

  private mutating func pick<T>(_ list: [T]) -> T {
    list[Int.random(in: 0..<list.count, using: &numbers)]
  }

  private mutating func randomShape() -> [Int] {
    let channels = pick([1, 3, 8, 12, 16, 20, 24, 33, 40])
    switch pick([2, 3, 3, 4, 4]) {
    case 2: return [pick([1, 2, 5]), channels]
    case 3: return [pick([1, 2]), pick([1, 4, 7, 9]), channels]
    default: return [pick([1, 2]), pick([1, 3, 4]), pick([2, 3, 5]), channels]
    }
  }

  @discardableResult
  private mutating func input(_ shape: [Int]) -> Entry {
    parameters += 1
    let id = graph.parameter("x\(parameters)", TensorType(.f32, shape))
    let entry = Entry(id: id, low: -2, high: 2, isExact: true)
    pool.append(entry)
    return entry
  }

  /// A weight of the given type with elements in -1...1, divided by the square root of `depth`.
  private mutating func weight(_ shape: [Int], depth: Int = 1, _ dtype: DType = .f32) throws
    -> ValueID
  {
    let name = "w\(weights.count)"
    let type = TensorType(dtype, shape)
    let scale = 1 / Double(depth).squareRoot()
    weights[name] = HostTensor(type) { _ in
      Double(Float.random(in: -1...1, using: &numbers)) * scale
    }
    return try graph.emit(
      .param(Param(name: name, source: "w", type: type)), [], rate: .load)
  }

  private func shape(_ entry: Entry) -> [Int] { graph.type(entry.id).shape }

  private mutating func operand(_ accept: (Entry, [Int]) -> Bool = { _, _ in true }) -> Entry? {
    let fitting = pool.filter { graph.type($0.id).dtype == .f32 && accept($0, shape($0)) }
    return fitting.isEmpty ? nil : pick(fitting)
  }

  private mutating func add(
    _ id: ValueID, _ low: Double, _ high: Double, isExact: Bool = false
  ) throws -> Bool {
    // Too wide a range would make errors hard to bound; squash it.
    if max(abs(low), abs(high)) > 40 {
      let squashed = try graph.emit(.tanh(Tanh()), [id])
      pool.append(Entry(id: squashed, low: -1, high: 1, isExact: false))
    } else {
      pool.append(Entry(id: id, low: low, high: high, isExact: isExact))
    }
    return true
  }

  // MARK: Ops

  private mutating func step() throws -> Bool {
    switch Int.random(in: 0..<100, using: &numbers) {
    case 0..<28: try unary()
    case 28..<46: try binary()
    case 46..<68: try movement()
    case 68..<82: try normalisation()
    default: try contraction()
    }
  }

  private mutating func unary() throws -> Bool {
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

  private mutating func binary() throws -> Bool {
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

  private mutating func movement() throws -> Bool {
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
      result = try graph.pad(x.id, low: widths, high: extents.map { _ in pick([0, 1]) })
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
      parameters += 1
      let shape = [pick([1, 2]), pick([1, 6])]
      let ids = graph.parameter("ids\(parameters)", TensorType(.i32, shape))
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

  private mutating func normalisation() throws -> Bool {
    switch Int.random(in: 0..<6, using: &numbers) {
    case 0:
      guard let x = operand() else { return false }
      return try add(try graph.softmax(x.id), 0, 1)
    case 1, 2:
      guard let x = operand({ _, s in s[s.count - 1] >= 8 }) else { return false }
      let c = graph.type(x.id).lastExtent
      let (scale, shift) = (try weight([c]), try weight([c]))
      // A row that is nearly constant has a badly conditioned norm; the large eps bounds it.
      return try add(try graph.layerNorm(x.id, scale: scale, shift: shift, eps: 0.1), -8, 8)
    case 3:
      guard let x = operand({ _, s in s[s.count - 1] % 4 == 0 }) else { return false }
      let c = graph.type(x.id).lastExtent
      let (scale, shift) = (try weight([c]), try weight([c]))
      return try add(
        try graph.groupNorm(x.id, scale: scale, shift: shift, groups: pick([1, 2, 4]), eps: 0.1),
        -12, 12)
    case 4:
      guard let x = operand() else { return false }
      let axes = shape(x).indices.filter { _ in Bool.random(using: &numbers) }
      if axes.isEmpty { return false }
      let count = Double(axes.reduce(1) { $0 * shape(x)[$1] })
      return try add(try graph.reduceSum(x.id, axes: axes), x.low * count, x.high * count)
    default:
      guard let x = operand() else { return false }
      let last = shape(x).count - 1
      return try add(
        try graph.reduceMax(x.id, axes: [last]), x.low, x.high, isExact: x.isExact)
    }
  }

  private mutating func contraction() throws -> Bool {
    switch Int.random(in: 0..<8, using: &numbers) {
    case 0, 1:
      guard let x = operand() else { return false }
      let bound = max(abs(x.low), abs(x.high))
      let depth = graph.type(x.id).lastExtent
      let columns = pick([1, 8, 20, 33, 48])
      var y = try graph.linear(
        x.id, weight: try weight([columns, depth], depth: depth, pick([.f32, .f16])).f32(&graph),
        bias: Bool.random(using: &numbers) ? try weight([columns]) : nil)
      if Bool.random(using: &numbers) {
        let rank = 2
        y = try graph.lora(
          y, input: x.id, down: try weight([rank, depth], depth: depth),
          up: try weight([columns, rank]), scale: try weight([1]))
      }
      return try add(y, -4 * bound, 4 * bound)
    case 2 where Int.random(in: 0..<4, using: &numbers) == 0:
      // Large enough for every algorithm of 3×3 convolutions.
      let channels = pick([16, 24, 40])
      let x = input([pick([1, 2]), pick([8, 12, 16]), pick([8, 16, 20]), channels])
      let columns = pick([16, 32, 33, 80])
      let kernel = try weight([columns, channels, 3, 3], depth: channels * 9, pick([.f32, .f16]))
      let y = try graph.conv2d(
        x.id, weight: kernel.f32(&graph), bias: try weight([columns]), stride: 1, pad: pick([0, 1]))
      return try add(y, -8, 8)
    case 2, 3:
      guard let x = operand({ _, s in s.count == 4 && s[1] >= 2 && s[2] >= 2 }) else {
        return false
      }
      let bound = max(abs(x.low), abs(x.high))
      let channels = graph.type(x.id).lastExtent
      let size = pick([1, 3])
      let columns = pick([4, 16, 40])
      let kernel = try weight(
        [columns, channels, size, size], depth: channels * size * size, pick([.f32, .bf16]))
      let y = try graph.conv2d(
        x.id, weight: kernel.f32(&graph), bias: try weight([columns]), stride: pick([1, 2]),
        pad: size / 2)
      return try add(y, -4 * bound, 4 * bound)
    case 4:
      guard let a = operand({ _, s in s.count == 3 }) else { return false }
      let (s, bound) = (shape(a), max(abs(a.low), abs(a.high)))
      let b = input([s[0], s[2], pick([1, 5, 20])])
      return try add(
        try graph.matmul(a.id, b.id), -2 * bound * Double(s[2]), 2 * bound * Double(s[2]))
    case 5, 6:
      guard let q = operand({ entry, s in s.count == 3 && s[2] % 4 == 0 && entry.high <= 8 })
      else { return false }
      let s = shape(q)
      let isCausal = Bool.random(using: &numbers)
      let keys = isCausal ? s[1] : pick([1, 5, 9])
      let (k, v) = (input([s[0], keys, s[2]]), input([s[0], keys, s[2]]))
      let y = try graph.attention(
        q.id, keys: k.id, values: v.id, heads: pick([1, 2]), causal: isCausal)
      return try add(y, -2, 2)
    default:
      if Bool.random(using: &numbers) {
        guard let x = operand({ _, s in s[s.count - 1] % 2 == 0 }) else { return false }
        let bound = max(abs(x.low), abs(x.high))
        return try add(try graph.geglu(x.id), -bound * bound, bound * bound)
      }
      guard let t = operand({ entry, s in s.count == 2 && s[0] == 1 && entry.isExact })
      else { return false }
      let flat = try graph.reshape(t.id, to: [shape(t)[1]])
      return try add(
        try graph.timestepEmbedding(
          flat, dim: pick([2, 20, 64]), flipSinToCos: Bool.random(using: &numbers),
          shift: pick([0, 0.5])), -1, 1)
    }
  }
}

extension ValueID {
  /// The value converted to f32.
  fileprivate func f32(_ graph: inout Graph) throws -> ValueID {
    try graph.cast(self, to: .f32)
  }
}
