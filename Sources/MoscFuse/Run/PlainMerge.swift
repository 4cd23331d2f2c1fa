import MoscFormats

/// Merges of low-rank changes that know nothing of inputs.
enum PlainMerge {
  /// `factor · Σ Bᵢ Aᵢ` of a layer; nil when no concept changes it.
  static func sum(
    _ layer: FusionLayer, _ concepts: [FusionConcept], factor: Double = 1
  ) -> AdapterFile.Layer? {
    let parts = concepts.compactMap { $0.factors(layer) }
    guard !parts.isEmpty else { return nil }
    let up = Matrix.joined(parts.map(\.up), rows: layer.out) * factor
    let down = Matrix(up.columns, layer.depth, parts.flatMap(\.down.values))
    return adapter(layer, up, down)
  }

  /// The nearest matrix of a rank to `Σ Bᵢ Aᵢ`.
  static func resized(
    _ layer: FusionLayer, _ concepts: [FusionConcept], rank: Int
  ) throws -> AdapterFile.Layer? {
    let parts = concepts.compactMap { $0.factors(layer) }
    guard !parts.isEmpty else { return nil }
    let up = Matrix.joined(parts.map(\.up), rows: layer.out)
    let down = Matrix(up.columns, layer.depth, parts.flatMap(\.down.values))
    // Only the few columns of B need a decomposition of full height.
    let basis = try LinearAlgebra.basis(up)
    guard basis.columns > 0 else { return adapter(layer, Matrix(layer.out, 1), Matrix(1, layer.depth)) }
    let inner = Matrix.product(.product(transposed: basis, up), down)
    let (u, sigma, vt) = try LinearAlgebra.singular(inner)
    let kept = min(rank, sigma.count)
    var left = u.prefix(columns: kept)
    var right = Matrix(kept, layer.depth, Array(vt.values[..<(kept * layer.depth)]))
    for k in 0..<kept {
      let root = sigma[k].squareRoot()
      for i in 0..<left.rows { left[i, k] *= root }
      for j in 0..<right.columns { right[k, j] *= root }
    }
    return adapter(layer, .product(basis, left), right)
  }

  static func adapter(
    _ layer: FusionLayer, _ up: Matrix, _ down: Matrix
  ) -> AdapterFile.Layer {
    let ones = [Int](repeating: 1, count: layer.shape.count - 2)
    return AdapterFile.Layer(
      network: layer.network, key: layer.key, names: [layer.id],
      down: HostArray(down.values.map { Float($0) }, shape: [down.rows] + layer.shape.dropFirst()),
      up: HostArray(up.values.map { Float($0) }, shape: [up.rows, up.columns] + ones), scale: 1)
  }
}
