import MoscIR

/// Normalisations, contractions and what else is a layer.
extension GraphGenerator {
  mutating func normalisation() throws -> Bool {
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

  mutating func contraction() throws -> Bool {
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
