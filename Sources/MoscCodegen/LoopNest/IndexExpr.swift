/// An integer that is known only when a kernel runs: a loop counter, a lane number, or the
/// quotient or remainder of an index expression.
struct IndexVariable: Hashable, Comparable {
  /// The position in the `IndexSpace` that made the variable.
  let id: Int
  /// The number of values the variable can take: `0..<extent`.
  let extent: Int
  /// Whether lanes of a vector may see different values.
  let varies: Bool

  static func < (a: Self, b: Self) -> Bool { a.id < b.id }
}

/// A linear expression in index variables: `constant + Σ coefficient · variable`.
///
/// Knowing the ranges of its variables, code generation can tell at compile time which part of a
/// concatenation an index falls in, and whether neighbouring lanes read neighbouring elements.
struct IndexExpr: Hashable {
  struct Term: Hashable {
    var variable: IndexVariable
    var coefficient: Int
  }

  private(set) var constant: Int
  /// Ascending by variable, without zero coefficients.
  private(set) var terms: [Term]

  init(_ constant: Int) {
    self.constant = constant
    terms = []
  }

  init(_ variable: IndexVariable, times coefficient: Int = 1) {
    constant = 0
    terms = coefficient == 0 ? [] : [Term(variable: variable, coefficient: coefficient)]
  }

  static let zero = IndexExpr(0)

  /// Whether every lane sees the same value.
  var isUniform: Bool { terms.allSatisfy { !$0.variable.varies } }

  /// The value if it is known at compile time.
  var known: Int? { terms.isEmpty ? constant : nil }

  /// The smallest value the ranges of the variables allow.
  var lowest: Int {
    terms.reduce(constant) { $0 + Swift.min(0, $1.coefficient * ($1.variable.extent - 1)) }
  }

  /// The largest value the ranges of the variables allow.
  var highest: Int {
    terms.reduce(constant) { $0 + Swift.max(0, $1.coefficient * ($1.variable.extent - 1)) }
  }

  /// Whether the value is certainly in `range`.
  func isInside(_ range: Range<Int>) -> Bool {
    range.lowerBound <= lowest && highest < range.upperBound
  }

  /// Whether the value is certainly not in `range`.
  func isOutside(_ range: Range<Int>) -> Bool {
    highest < range.lowerBound || range.upperBound <= lowest
  }

  /// The coefficient of a variable, 0 when it does not occur.
  func coefficient(of variable: IndexVariable) -> Int {
    terms.first { $0.variable == variable }?.coefficient ?? 0
  }

  static func + (a: Self, b: Self) -> Self {
    var result = a
    result.constant += b.constant
    for term in b.terms { result.add(term) }
    return result
  }

  static func + (a: Self, b: Int) -> Self { a + IndexExpr(b) }

  static func - (a: Self, b: Self) -> Self { a + b * -1 }

  static func * (a: Self, factor: Int) -> Self {
    if factor == 0 { return .zero }
    var result = a
    result.constant *= factor
    for i in result.terms.indices { result.terms[i].coefficient *= factor }
    return result
  }

  private mutating func add(_ term: Term) {
    if let i = terms.firstIndex(where: { $0.variable >= term.variable }) {
      if terms[i].variable == term.variable {
        terms[i].coefficient += term.coefficient
        if terms[i].coefficient == 0 { terms.remove(at: i) }
      } else {
        terms.insert(term, at: i)
      }
    } else {
      terms.append(term)
    }
  }
}
