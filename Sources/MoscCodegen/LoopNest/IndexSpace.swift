/// Makes the index variables of one kernel and divides index expressions.
///
/// Quotients and remainders that do not simplify become variables of their own, computed only when
/// an address needs them; `simplified` takes them back together, so that a linear index that was
/// split into coordinates and joined again costs nothing.
struct IndexSpace {
  /// What a variable made by division stands for.
  enum Origin: Hashable {
    case quotient(of: IndexExpr, by: Int)
    case remainder(of: IndexExpr, by: Int)
    /// The nearest value in `0..<extent`; `isInside` promises that nothing changes.
    case clamped(IndexExpr, extent: Int, isInside: Bool)
  }

  private var origins: [Origin?] = []
  private var known: [Origin: IndexVariable] = [:]

  /// A new variable with values `0..<extent`.
  mutating func variable(extent: Int, varies: Bool = false) -> IndexVariable {
    origins.append(nil)
    return IndexVariable(id: origins.count - 1, extent: extent, varies: varies)
  }

  /// The division that a variable stands for, or nil for counters and lanes.
  func origin(_ variable: IndexVariable) -> Origin? { origins[variable.id] }

  private mutating func derived(_ origin: Origin, extent: Int, varies: Bool) -> IndexExpr {
    if extent == 1 { return .zero }
    if let variable = known[origin] { return IndexExpr(variable) }
    let variable = self.variable(extent: extent, varies: varies)
    origins[variable.id] = origin
    known[origin] = variable
    return IndexExpr(variable)
  }

  /// `⌊e / d⌋` and `e mod d` of an expression that is never negative.
  mutating func divide(_ e: IndexExpr, by d: Int) -> (quotient: IndexExpr, remainder: IndexExpr) {
    if d == 1 { return (e, .zero) }
    var whole = IndexExpr(e.constant / d)
    var rest = IndexExpr(e.constant % d)
    for term in e.terms {
      if term.coefficient % d == 0 {
        whole = whole + IndexExpr(term.variable, times: term.coefficient / d)
      } else {
        rest = rest + IndexExpr(term.variable, times: term.coefficient)
      }
    }
    if rest.isInside(0..<d) { return (whole, rest) }
    // Terms with a common factor divide without the small rest, e.g. blocks of lanes.
    let factors = Set(rest.terms.map { gcd($0.coefficient, d) }).filter { $0 > 1 && $0 < d }
    for g in factors.sorted(by: >) {
      var big = IndexExpr(rest.constant / g)
      var small = IndexExpr(rest.constant % g)
      for term in rest.terms {
        if term.coefficient % g == 0 {
          big = big + IndexExpr(term.variable, times: term.coefficient / g)
        } else {
          small = small + IndexExpr(term.variable, times: term.coefficient)
        }
      }
      guard small.isInside(0..<g), big.lowest >= 0 else { continue }
      let (q, r) = divide(big, by: d / g)
      return (whole + q, r * g + small)
    }
    let q = derived(
      .quotient(of: rest, by: d), extent: rest.highest / d + 1, varies: !rest.isUniform)
    let r = derived(.remainder(of: rest, by: d), extent: d, varies: !rest.isUniform)
    return (whole + q, r)
  }

  /// The expression forced into `0..<extent`, or promised to be there.
  mutating func clamp(_ e: IndexExpr, extent: Int, isInside: Bool = false) -> IndexExpr {
    if e.isInside(0..<extent) { return e }
    return derived(
      .clamped(e, extent: extent, isInside: isInside), extent: extent, varies: !e.isUniform)
  }

  /// The expression with `a·d·⌊e/d⌋ + a·(e mod d)` written as `a·e`.
  func simplified(_ e: IndexExpr) -> IndexExpr {
    var result = e
    var changed = true
    while changed {
      changed = false
      for term in result.terms {
        guard case .remainder(let whole, let d)? = origin(term.variable),
          let quotient = known[.quotient(of: whole, by: d)],
          result.coefficient(of: quotient) == term.coefficient * d
        else { continue }
        result =
          result - IndexExpr(quotient, times: term.coefficient * d)
          - IndexExpr(term.variable, times: term.coefficient) + whole * term.coefficient
        changed = true
        break
      }
    }
    return result
  }

  /// The row-major position of an index in a shape.
  func linear(_ index: [IndexExpr], in shape: [Int]) -> IndexExpr {
    var position = IndexExpr.zero
    var stride = 1
    for (axis, extent) in shape.enumerated().reversed() {
      position = position + index[axis] * stride
      stride *= extent
    }
    return simplified(position)
  }

  /// The index of a row-major position in a shape.
  mutating func unravel(_ position: IndexExpr, in shape: [Int]) -> [IndexExpr] {
    var index = [IndexExpr](repeating: .zero, count: shape.count)
    var rest = position
    for axis in shape.indices.reversed() {
      // The slowest axis takes what is left; an extent of 1 has only one place.
      if axis == shape.indices.first {
        index[axis] = rest
        break
      }
      (rest, index[axis]) = divide(rest, by: shape[axis])
    }
    return index
  }
}

/// The greatest common divisor.
func gcd(_ a: Int, _ b: Int) -> Int {
  b == 0 ? abs(a) : gcd(b, a % b)
}
