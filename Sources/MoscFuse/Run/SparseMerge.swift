import MoscFormats
import MoscRandom

/// Merges that leave out numbers of the changes before they add them up.
///
/// With `Δᵢ = sᵢ Bᵢ Aᵢ` and a density d:
///
///     ties: of each Δᵢ its largest numbers remain, a share d; γ = sign Σ Δᵢ, + for 0; the mean of those whose sign is γ
///     dare: a number of Δᵢ remains with probability d and is divided by d; Σ Δᵢ
///
/// The result is the nearest matrix of a rank. Source: Yadav et al. 2023, §4; Yu et al. 2024, §3; PEFT's `ties_svd`,
/// `dare_linear_svd`.
struct SparseMerge {
  let method: FusionMethod
  /// d.
  let density: Double
  let random: RunSeed

  /// The merge of a layer; nil when no concept changes it.
  ///
  /// - Parameters:
  ///   - number: the layer's, which random draws depend on.
  ///   - rank: nil for that of all concepts together.
  func callAsFunction(
    _ layer: FusionLayer, number: Int, _ concepts: [FusionConcept], rank: Int?
  ) throws -> AdapterFile.Layer? {
    let parts = concepts.compactMap { $0.factors(layer) }
    guard !parts.isEmpty else { return nil }
    let changes = parts.enumerated().map { index, part in
      var change = Matrix.product(part.up, part.down).values
      if method == .ties { trim(&change) } else { drop(&change, number: number, concept: index) }
      return change
    }
    var sum = changes[0]
    for change in changes.dropFirst() { for place in sum.indices { sum[place] += change[place] } }
    let merged = method == .ties ? agreed(changes, sum) : sum
    let all = parts.reduce(0) { $0 + $1.down.rows }
    return try PlainMerge.nearest(
      layer, Matrix(layer.out, layer.depth, merged), rank: min(rank ?? all, layer.out, layer.depth))
  }

  /// Leaves the largest numbers.
  private func trim(_ change: inout [Double]) {
    let kept = Int(density * Double(change.count))
    guard kept < change.count else { return }
    let sizes = change.map { abs($0) }.sorted(by: >)
    var equal = kept - sizes.prefix(kept).count { $0 > sizes[kept] }
    // Of numbers of the size at the edge, the first ones remain.
    for place in change.indices where abs(change[place]) <= sizes[kept] {
      if abs(change[place]) == sizes[kept], equal > 0 {
        equal -= 1
      } else {
        change[place] = 0
      }
    }
  }

  /// Leaves each number with the same probability.
  private func drop(_ change: inout [Double], number: Int, concept: Int) {
    guard density < 1 else { return }
    for place in change.indices {
      let stays = random.uniform(.dropout, number, place, salt: UInt32(truncatingIfNeeded: concept) << 8) < density
      change[place] = stays ? change[place] / density : 0
    }
  }

  /// The mean of the changes that agree with the sign of the sum.
  private func agreed(_ changes: [[Double]], _ sum: [Double]) -> [Double] {
    sum.indices.map { place in
      let isPositive = sum[place] >= 0
      let same = changes.map { $0[place] }.filter { isPositive ? $0 > 0 : $0 < 0 }
      return same.isEmpty ? 0 : same.reduce(0, +) / Double(same.count)
    }
  }
}

extension PlainMerge {
  /// The nearest matrix of a rank to a change `[out, depth]`, as factors.
  static func nearest(_ layer: FusionLayer, _ change: Matrix, rank: Int) throws -> AdapterFile.Layer {
    // The strongest directions of the smaller side; eigenvalues ascend, their vectors are rows.
    let isWide = change.rows <= change.columns
    let gram = isWide ? Matrix.product(change, transposed: change) : Matrix.product(transposed: change, change)
    let (_, vectors) = try LinearAlgebra.eigen(gram)
    let strongest = vectors.rows(vectors.rows - rank..<vectors.rows)
    return isWide
      ? adapter(layer, strongest.transposed, Matrix.product(strongest, change))
      : adapter(layer, Matrix.product(change, transposed: strongest), strongest)
  }
}
