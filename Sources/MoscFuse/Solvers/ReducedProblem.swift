/// What one concept asks of a layer: that for its inputs x, `W x` be `(W₀ + B A) x`.
///
/// Everything about the inputs is in their second moments, so the inputs are never stored.
package struct ConceptDemand: Sendable {
  /// `G = Σ xᵀ x` over the inputs, `[in,in]`.
  package var gram: Matrix
  /// The number of inputs.
  package var rows: Int
  /// B with strength and scale multiplied in, `[out,r]`.
  package var up: Matrix
  /// A, `[r,in]`.
  package var down: Matrix

  package init(gram: Matrix, rows: Int, up: Matrix, down: Matrix) {
    self.gram = gram
    self.rows = rows
    self.up = up
    self.down = down
  }
}

/// The least squares of a layer in few unknowns.
///
/// With Q an orthonormal basis of what the concepts' B span and `W = W₀ + Q M`, the mean over rows
/// and outputs of `(X Wᵀ − Y)²` is
///
///     f(M) = (tr(M G Mᵀ) − 2 tr(M Tᵀ) + c) / (N · out),   ∇f = 2 (M G − T) / (N · out)
///
/// with `G = Σ Gᵢ`, `T = Σ Qᵀ Bᵢ (Aᵢ Gᵢ)`, `c = Σ tr(Bᵢ Aᵢ Gᵢ Aᵢᵀ Bᵢᵀ)`. Every gradient in W lies in the
/// columns of Q, so nothing is lost. Source: the objective of Gu et al. 2023, section 3.2.
package struct ReducedProblem: Sendable {
  /// The part of one concept.
  package struct Share: Sendable {
    package let gram: Matrix
    package let target: Matrix
    package let constant: Double
    package let rows: Int
  }

  /// Q, `[out,R]`.
  package let basis: Matrix
  /// G, `[in,in]`.
  package var gram: Matrix
  /// T, `[R,in]`.
  package private(set) var target: Matrix
  /// c.
  package private(set) var constant: Double
  /// N.
  package private(set) var rows: Int

  /// The problem that given sums state.
  package init(basis: Matrix, gram: Matrix, target: Matrix, constant: Double, rows: Int) {
    self.basis = basis
    self.gram = gram
    self.target = target
    self.constant = constant
    self.rows = rows
  }

  /// The problem of no concept yet, for changes in the columns of a basis.
  package init(basis: Matrix, depth: Int) {
    self.init(
      basis: basis, gram: Matrix(depth, depth), target: Matrix(basis.columns, depth), constant: 0,
      rows: 0)
  }

  /// The problem of all concepts of a layer together.
  package init(_ demands: [ConceptDemand], out: Int, depth: Int) throws(LinearAlgebraError) {
    let basis = try LinearAlgebra.basis(Matrix.joined(demands.map(\.up), rows: out))
    self.init(basis: basis, depth: depth)
    for demand in demands { add(demand) }
  }

  /// Adds what a concept asks for; its B lies in the columns of the basis.
  package mutating func add(_ demand: ConceptDemand) {
    gram.add(demand.gram)
    add(Self.share(demand, basis))
  }

  /// Adds what a concept asks for, but for its G, which layers may have in common.
  package mutating func add(_ share: Share) {
    target.add(share.target)
    constant += share.constant
    rows += share.rows
  }

  /// The problem of recorded inputs X `[N,in]` and targets Y `[N,out]` from the weight W₀
  /// `[out,in]`.
  package init(x: Matrix, y: Matrix, start: Matrix) throws(LinearAlgebraError) {
    let wanted = y - .product(x, transposed: start)
    let basis = try LinearAlgebra.basis(wanted.transposed)
    let reduced = Matrix.product(wanted, basis)
    self.init(
      basis: basis, gram: .product(transposed: x, x), target: .product(transposed: reduced, x),
      constant: wanted.dot(wanted), rows: x.rows)
  }

  /// What a concept adds to the sums.
  package static func share(_ demand: ConceptDemand, _ basis: Matrix) -> Share {
    let seen = Matrix.product(demand.down, demand.gram)
    let inner = Matrix.product(seen, transposed: demand.down)
    return Share(
      gram: demand.gram,
      target: .product(.product(transposed: basis, demand.up), seen),
      constant: inner.dot(.product(transposed: demand.up, demand.up)), rows: demand.rows)
  }

  private var scale: Double { 1 / (Double(max(rows, 1)) * Double(max(basis.rows, 1))) }

  /// f and ∇f.
  package func evaluate(_ m: Matrix) -> (loss: Double, gradient: Matrix) {
    var gradient = Matrix.product(m, gram)
    gradient.add(target, scale: -1)
    let loss = (m.dot(gradient) - m.dot(target) + constant) * scale
    return (loss, gradient * (2 * scale))
  }

  /// f.
  package func loss(_ m: Matrix) -> Double { evaluate(m).loss }

  /// f, given `tr(M G Mᵀ) − 2 tr(M Tᵀ)`.
  func loss(gain: Double) -> Double { (gain + constant) * scale }

  /// The loss before any change.
  package var initialLoss: Double { constant * scale }

  /// f of one concept alone, over its own rows.
  package func loss(_ m: Matrix, of share: Share) -> Double {
    var product = Matrix.product(m, share.gram)
    product.add(share.target, scale: -2)
    let sum = m.dot(product) + share.constant
    return max(0, sum) / (Double(max(share.rows, 1)) * Double(max(basis.rows, 1)))
  }

  /// `Q M`, the change of the weight.
  package func change(_ m: Matrix) -> Matrix { .product(basis, m) }
}
