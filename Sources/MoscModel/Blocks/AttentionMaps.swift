import MoscIR

/// How strongly the pixels of an image attend to the tokens of its text, collected from the
/// cross-attention layers of a network by the number of pixels they work on.
///
/// `map[b,i,j] = mean over layers and heads of softmaxⱼ(q[i]·k[j] / √d)`. Source: Mix-of-Show,
/// `AttentionStore`.
package struct AttentionMaps: Sendable {
  /// Sums over heads `[n,t,m]`, and how many heads they are sums of, by number of pixels t.
  private var layers: [Int: [(sum: ValueID, heads: Int)]] = [:]

  /// The most pixels of layers that are recorded.
  private let mostPixels: Int

  /// Whether the first of several contexts alone is recorded, as if there were no others.
  private let recordsFirst: Bool

  package init(mostPixels: Int = .max, recordsFirst: Bool = false) {
    (self.mostPixels, self.recordsFirst) = (mostPixels, recordsFirst)
  }

  /// The numbers of pixels that layers work on, the largest first.
  package var resolutions: [Int] { layers.keys.sorted(by: >) }

  /// Appends the probabilities of a layer: q `[n,t,c]`, k `[n,m,c]`, or `[n,r,m,c]` with an axis of contexts,
  /// which the map then has, too: `[n,r,t,m]`.
  mutating func record(
    queries q: ValueID, keys k: ValueID, heads: Int, in g: inout Graph
  ) throws(Diagnostic) {
    let (t, keys) = (g.type(q).shape[1], g.type(k).shape)
    if t > mostPixels { return }
    guard keys.count == 4 else {
      layers[t, default: []].append((try sum(q, k, heads, in: &g), heads))
      return
    }
    var contexts: [ValueID] = []
    for context in 0..<keys[1] {
      let part = try g.slice(k, axis: 1, from: context, to: context + 1)
      let map = try sum(q, try g.reshape(part, to: [keys[0], keys[2], keys[3]]), heads, in: &g)
      if recordsFirst {
        layers[t, default: []].append((map, heads))
        return
      }
      contexts.append(try g.reshape(map, to: [keys[0], 1, t, keys[2]]))
    }
    layers[t, default: []].append((try g.concat(contexts, axis: 1), heads))
  }

  /// The sum of the probabilities over heads, `[n,t,m]`.
  private func sum(
    _ q: ValueID, _ k: ValueID, _ heads: Int, in g: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let (n, t, width) = (g.type(q).shape[0], g.type(q).shape[1], g.type(q).shape[2])
    let (m, depth) = (g.type(k).shape[1], width / heads)
    let scale = try g.constant(1 / Double(depth).squareRoot(), .f32(1, 1, 1))
    let scaled = try g.mul(q, scale)
    let perHead = try g.transpose(
      try g.reshape(scaled, to: [n, t, heads, depth]), axes: [0, 2, 1, 3])
    let keys = try g.transpose(
      try g.reshape(k, to: [n, m, heads, depth]), axes: [0, 2, 3, 1])
    let scores = try g.matmul(
      try g.reshape(perHead, to: [n * heads, t, depth]),
      try g.reshape(keys, to: [n * heads, depth, m]))
    let shares = try g.reshape(try g.softmax(scores), to: [n, heads, t, m])
    return try g.reshape(try g.reduceSum(shares, axes: [1]), to: [n, t, m])
  }

  /// Appends the mean map of a resolution, `[n,t,m]` or `[n,r,t,m]`.
  package func mean(_ pixels: Int, in g: inout Graph) throws(Diagnostic) -> ValueID? {
    guard let recorded = layers[pixels], var total = recorded.first?.sum else { return nil }
    for layer in recorded.dropFirst() { total = try g.add(total, layer.sum) }
    let heads = recorded.reduce(0) { $0 + $1.heads }
    let ones = [Int](repeating: 1, count: g.type(total).rank)
    return try g.mul(total, try g.constant(1 / Double(heads), TensorType(.f32, ones)))
  }
}
