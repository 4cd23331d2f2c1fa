import MoscIR
import MoscLLVM

/// Emits the value of any tensor of a kernel body at any index, by pulling operands on demand.
///
/// An index is one `IndexExpr` per axis. When some expression contains the lane variable, the
/// value is a vector of `lanes` elements; otherwise it is a scalar, computed once for all lanes.
/// Floats are held as f32 whatever their type (bf16 and f16 values are rounded to their type, so
/// results do not depend on what was fused), integers as i32. Values are kept per scope: a value
/// used twice at one index is computed once.
final class PullEmitter {
  let e: FunctionEmitter
  let graph: Graph
  var space = IndexSpace()
  /// The address of each parameter's buffer.
  let pointers: [ValueID: LLVMValue]
  /// Loop counters (i64), lane numbers (i32 vectors) and rows of tables.
  var variables: [IndexVariable: LLVMValue] = [:]
  /// Values given from outside instead of computed: the result of an anchor in its epilogue.
  private(set) var injected: [ValueID: (index: [IndexExpr], value: LLVMValue)] = [:]
  /// What is known of `pad` at an index in the code being written.
  private(set) var assumptions: [Assumption: Bool] = [:]
  private(set) var lane: IndexVariable?
  /// The vector length of the code being written.
  private(set) var lanes = 1
  /// The lanes that stand for elements; the others hold no data.
  private(set) var active = 1
  /// What could not be done well, each once.
  private(set) var remarks: [CodeRemark] = []
  private var scopes: [[Key: LLVMValue]] = [[:]]

  struct Assumption: Hashable {
    var node: NodeID
    var index: [IndexExpr]
  }

  enum Key: Hashable {
    case value(ValueID, [IndexExpr])
    case scalar(IndexExpr)
    case vector(IndexExpr)
    /// A number that belongs to a row of a reduction: node, outer index, which number.
    case statistic(NodeID, [IndexExpr], Int)
    case table(NodeID)
  }

  /// The text that debuggers show; nil without line tables.
  private let source: KernelSource?

  /// - Parameter pointers: the address of each parameter's buffer.
  init(
    _ emitter: FunctionEmitter, _ graph: Graph, pointers: [ValueID: LLVMValue],
    source: KernelSource? = nil
  ) {
    e = emitter
    self.graph = graph
    self.pointers = pointers
    self.source = source
  }

  /// Runs `body`, whose instructions belong to a node in the eyes of debuggers.
  func located<T>(at node: NodeID, _ body: () throws -> T) rethrows -> T {
    guard let source, let lines = e.lines else { return try body() }
    return try lines.at(line: source.line(of: node), body)
  }

  func failure(_ message: String) -> LoweringError {
    LoweringError(kernel: graph.name, message)
  }

  /// Notes why the code is not as good as it might be.
  func remark(_ id: String, _ message: String) {
    let remark = CodeRemark(kernel: graph.name, id: id, message: message)
    if !remarks.contains(remark) { remarks.append(remark) }
  }

  // MARK: Scopes

  /// Runs `body`, then forgets the values it computed (they may not dominate what follows).
  func scoped<T>(_ body: () throws -> T) rethrows -> T {
    scopes.append([:])
    defer { scopes.removeLast() }
    return try body()
  }

  /// Runs `body` with an element of a value given instead of computed.
  func with<T>(
    _ id: ValueID, at index: [IndexExpr], being value: LLVMValue, _ body: () throws -> T
  ) rethrows -> T {
    let saved = injected[id]
    injected[id] = (index, value)
    defer { injected[id] = saved }
    return try scoped(body)
  }

  /// Runs `body` where it is known whether a `pad` reads its operand.
  func assuming<T>(_ assumption: Assumption, _ isInside: Bool, _ body: () throws -> T) rethrows -> T {
    let saved = assumptions[assumption]
    assumptions[assumption] = isInside
    defer { assumptions[assumption] = saved }
    return try scoped(body)
  }

  func remembered(_ key: Key) -> LLVMValue? {
    for scope in scopes.reversed() {
      if let value = scope[key] { return value }
    }
    return nil
  }

  func remember(_ key: Key, _ value: LLVMValue) { scopes[scopes.count - 1][key] = value }

  /// The remembered value, or the value of `make`, which is then remembered.
  func memo(_ key: Key, _ make: () throws -> LLVMValue) rethrows -> LLVMValue {
    if let value = remembered(key) { return value }
    let value = try make()
    remember(key, value)
    return value
  }

  /// Runs `body` for vectors of `lanes`, of which `active` hold data; gives it the lane number.
  func withLanes<T>(
    _ lanes: Int, active: Int, _ body: (IndexExpr) throws -> T
  ) rethrows -> T {
    let saved = (lane, self.lanes, self.active)
    defer { (lane, self.lanes, self.active) = saved }
    (self.lanes, self.active) = (lanes, active)
    if lanes == 1 {
      lane = nil
      return try body(.zero)
    }
    let variable = space.variable(extent: active, varies: true)
    variables[variable] = e.laneNumbers(lanes)
    lane = variable
    return try body(IndexExpr(variable))
  }

  /// A new loop counter with values `0..<extent`.
  func counter(_ value: LLVMValue, extent: Int) -> IndexExpr {
    if let known = value.constantInt { return IndexExpr(known) }
    if extent == 1 { return .zero }
    let variable = space.variable(extent: extent)
    variables[variable] = value
    return IndexExpr(variable)
  }

  /// The smallest power of two that holds `count` lanes, at most a full vector.
  func lanesFor(_ count: Int) -> Int {
    var lanes = 1
    while lanes < count && lanes < e.lanes { lanes *= 2 }
    return lanes
  }

  // MARK: Index values

  /// A uniform expression as an i64.
  func scalar(_ expression: IndexExpr) -> LLVMValue {
    if let known = expression.known { return e.int(known) }
    return memo(.scalar(expression)) {
      var sum: LLVMValue?
      for term in expression.terms {
        let value = e.mul(scalar(term.variable), term.coefficient)
        sum = sum.map { e.add($0, value) } ?? value
      }
      return e.add(sum ?? e.int(0), expression.constant)
    }
  }

  private func scalar(_ variable: IndexVariable) -> LLVMValue {
    if let value = variables[variable] { return value }
    return memo(.scalar(IndexExpr(variable))) {
      switch space.origin(variable) {
      case .quotient(let whole, let d): return e.div(scalar(whole), d)
      case .remainder(let whole, let d): return e.rem(scalar(whole), d)
      case .clamped(let whole, let extent, let isInside):
        let value = scalar(whole)
        return isInside ? value : e.min(e.max(value, e.int(0)), extent - 1)
      case nil: return e.int(0)
      }
    }
  }

  /// An expression as an i32 per lane.
  func vector(_ expression: IndexExpr) -> LLVMValue {
    memo(.vector(expression)) {
      var uniform = IndexExpr(expression.constant)
      var sum: LLVMValue?
      for term in expression.terms {
        guard term.variable.varies else {
          uniform = uniform + IndexExpr(term.variable, times: term.coefficient)
          continue
        }
        let value = e.mul(vector(term.variable), term.coefficient)
        sum = sum.map { e.add($0, value) } ?? value
      }
      let base = e.splat(e.builder.cast(.trunc, scalar(uniform), e.intType(1)), lanes)
      return sum.map { e.add($0, base) } ?? base
    }
  }

  private func vector(_ variable: IndexVariable) -> LLVMValue {
    if let value = variables[variable] { return value }
    return memo(.vector(IndexExpr(variable))) {
      switch space.origin(variable) {
      case .quotient(let whole, let d): return e.div(vector(whole), d)
      case .remainder(let whole, let d): return e.rem(vector(whole), d)
      case .clamped(let whole, let extent, let isInside):
        let value = vector(whole)
        return isInside ? value : e.min(e.max(value, e.int(0, like: value)), extent - 1)
      case nil: return e.int(0, type: e.intType(lanes))
      }
    }
  }

  /// Whether `low ≤ expression < high`, as an i1 per value the expression takes.
  func isInside(_ expression: IndexExpr, _ range: Range<Int>) -> LLVMValue {
    let value = expression.isUniform ? scalar(expression) : vector(expression)
    let low = e.builder.compare(
      .greaterOrEqual, value, e.int(range.lowerBound, like: value))
    let high = e.builder.compare(.less, value, e.int(range.upperBound, like: value))
    return e.builder.binary(.and, low, high)
  }

  // MARK: Shapes of values

  /// The value in every lane.
  func wide(_ value: LLVMValue) -> LLVMValue {
    lanes > 1 && e.lanes(of: value) == 1 ? e.splat(value, lanes) : value
  }

  /// All values as vectors if one of them is.
  func matched(_ values: [LLVMValue]) -> [LLVMValue] {
    values.contains { e.lanes(of: $0) > 1 } ? values.map(wide) : values
  }

  /// The index of an operand that broadcasts to a result of the same rank.
  func broadcast(_ index: [IndexExpr], to shape: [Int]) -> [IndexExpr] {
    zip(index, shape).map { $1 == 1 ? .zero : $0 }
  }
}
