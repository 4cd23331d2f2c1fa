import MoscIR

/// Prompts that begin alike, as one sequence of rows: the shared tokens once, then each prompt's
/// own. Everything but attention works row by row and needs not know.
struct SharedPrefix {
  /// The number of prompts n.
  let batch: Int
  /// Tokens of a whole prompt t.
  let tokens: Int
  /// Shared tokens p.
  let shared: Int

  private var own: Int { tokens - shared }
  private var rows: Int { shared + batch * own }

  /// `[1,p]` and `[n,t−p]` → `[1, p + n·(t−p)]`.
  func joined(
    _ prefix: ValueID, _ rest: ValueID, in g: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let flat = try g.reshape(rest, to: [1, batch * own])
    return try g.concat([prefix, flat], axis: 1)
  }

  /// The rows of a table `[positions, c]` for every token.
  func positions(_ table: ValueID, in g: inout Graph) throws(Diagnostic) -> ValueID {
    let (count, width) = (g.type(table).shape[0], g.type(table).shape[1])
    func rows(_ from: Int, _ to: Int) throws(Diagnostic) -> ValueID {
      let part = from == 0 && to == count ? table : try g.slice(table, axis: 0, from: from, to: to)
      return try g.reshape(part, to: [1, to - from, width])
    }
    guard shared > 0 else { return try rows(0, tokens) }
    let first = try rows(0, shared)
    let repeated = try g.broadcast(try rows(shared, tokens), to: [batch, own, width])
    return try g.concat(
      [first, try g.reshape(repeated, to: [1, batch * own, width])], axis: 1)
  }

  /// Causal attention within every prompt.
  func attend(
    _ q: ValueID, _ k: ValueID, _ v: ValueID, heads: Int, name: String, in g: inout Graph
  ) throws(Diagnostic) -> ValueID {
    guard shared > 0 else {
      return try g.attention(q, keys: k, values: v, heads: heads, causal: true, name: name)
    }
    let width = g.type(q).lastExtent
    var prefix: [ValueID] = []
    var rest: [ValueID] = []
    for x in [q, k, v] {
      prefix.append(try g.slice(x, axis: 1, from: 0, to: shared))
      let own = try g.slice(x, axis: 1, from: shared, to: rows)
      rest.append(try g.reshape(own, to: [batch, self.own, width]))
    }
    for i in 1...2 {
      let repeated = try g.broadcast(prefix[i], to: [batch, shared, width])
      rest[i] = try g.concat([repeated, rest[i]], axis: 1)
    }
    let first = try g.attention(
      prefix[0], keys: prefix[1], values: prefix[2], heads: heads, causal: true)
    let others = try g.attention(
      rest[0], keys: rest[1], values: rest[2], heads: heads, causal: true)
    return try g.concat(
      [first, try g.reshape(others, to: [1, batch * own, width])], axis: 1, name: name)
  }

  /// The states of every prompt, `[n,t,c]`.
  func separated(_ x: ValueID, in g: inout Graph) throws(Diagnostic) -> ValueID {
    guard shared > 0 else { return x }
    let width = g.type(x).lastExtent
    let first = try g.broadcast(
      try g.slice(x, axis: 1, from: 0, to: shared), to: [batch, shared, width])
    let rest = try g.reshape(
      try g.slice(x, axis: 1, from: shared, to: rows), to: [batch, own, width])
    return try g.concat([first, rest], axis: 1)
  }
}
