extension Parser {
  /// Parses a function or kernel after its keyword and adds it to the module.
  mutating func graph(
    _ kind: Graph.Kind, _ start: Token, into module: inout Module
  ) throws(Abandon) {
    let nameToken = current
    let name = try symbol()
    let isDuplicate = module[name] != nil
    if isDuplicate { _ = fail("parse.duplicate", "'@\(name)' is defined twice", at: nameToken) }
    var graph = Graph(name, kind: kind)
    var scope: [String: ValueID] = [:]
    broken = []
    try parameters(&graph, &scope)
    let results = try resultTypes(&graph)
    try expect("{")
    try endOfLine()
    while true {
      skipNewlines()
      let token = current
      if token.kind == .end {
        throw fail("parse.return", "'@\(name)' ends without 'return' and '}'", at: start)
      }
      if token.kind == .identifier("return") {
        position += 1
        do throws(Abandon) {
          try finish(&graph, scope, results, token)
          try endOfLine()
        } catch {
          skipLine()
        }
        break
      }
      let first = position
      do throws(Abandon) {
        try statement(&graph, &scope)
        try endOfLine()
      } catch {
        breakNames(from: first, scope)
        skipLine()
      }
    }
    skipNewlines()
    try expect("}")
    try endOfLine()
    if !isDuplicate { module.graphs.append(graph) }
  }

  private mutating func rate() -> Rate {
    if accept(.identifier("load")) { return .load }
    if accept(.identifier("prompt")) { return .prompt }
    return .step
  }

  private mutating func parameters(
    _ graph: inout Graph, _ scope: inout [String: ValueID]
  ) throws(Abandon) {
    try expect("(")
    while !accept(")") {
      if !graph.parameters.isEmpty { try expect(",") }
      let rate = rate()
      let token = current
      guard case .value(let name) = token.kind else { throw expected("'%name'") }
      position += 1
      try expect(":")
      let type = try type()
      guard scope[name] == nil else {
        throw fail("parse.duplicate", "'%\(name)' is defined twice", at: token)
      }
      scope[name] = graph.parameter(name, type, rate: rate)
    }
  }

  private mutating func resultTypes(_ graph: inout Graph) throws(Abandon) -> [TensorType] {
    guard accept("->") else { return [] }
    try expect("(")
    var types: [TensorType] = []
    while !accept(")") {
      if !types.isEmpty { try expect(",") }
      if tokens[position + 1].kind == .punctuation(":") {
        switch current.kind {
        case .identifier(let name), .string(let name): graph.resultNames.append(name)
        default: throw expected("the name of a result")
        }
        position += 2
      }
      types.append(try type())
    }
    return types
  }

  private mutating func finish(
    _ graph: inout Graph, _ scope: [String: ValueID], _ types: [TensorType], _ token: Token
  ) throws(Abandon) {
    while case .value = current.kind {
      graph.results.append(try use(scope))
      if !accept(",") { break }
    }
    let found = graph.results.map { graph.type($0) }
    if found != types {
      throw fail(
        "return.types", "'@\(graph.name)' promises \(types), returns \(found)", at: token)
    }
  }

  /// Remembers what a bad statement would have defined: uses of it are no errors of their own.
  private mutating func breakNames(from first: Int, _ scope: [String: ValueID]) {
    for token in tokens[first..<position].prefix(while: { $0.kind != .punctuation("=") }) {
      if case .value(let name) = token.kind, scope[name] == nil { broken.insert(name) }
    }
  }

  /// A use of a value that is in scope.
  private mutating func use(_ scope: [String: ValueID]) throws(Abandon) -> ValueID {
    let token = current
    guard case .value(let name) = token.kind else { throw expected("'%name'") }
    position += 1
    guard let id = scope[name] else {
      if broken.contains(name) { throw Abandon() }
      throw fail("parse.undefined", "'%\(name)' is not defined here", at: token)
    }
    return id
  }

  private mutating func statement(
    _ graph: inout Graph, _ scope: inout [String: ValueID]
  ) throws(Abandon) {
    let rate = rate()
    var names: [(String, Token)] = []
    while case .value(let name) = current.kind {
      names.append((name, current))
      position += 1
      if !accept(",") { break }
    }
    if !names.isEmpty { try expect("=") }
    let opToken = current
    let mnemonic = try identifier("an op")
    guard let description = Op.named(mnemonic) else {
      throw fail("parse.op", "there is no op '\(mnemonic)'", at: opToken)
    }
    var reader = AttributeReader([])
    if case .symbol(let callee) = current.kind {
      reader.callee = callee
      position += 1
    }
    let (operands, labels, attributes) = try arguments(scope)
    var types: [TensorType] = []
    if accept(":") {
      repeat { types.append(try type()) } while accept(",")
    }
    reader = AttributeReader(
      attributes, callee: reader.callee, resultTypes: types, operandLabels: labels)
    let op = try read(description, &reader, opToken)
    try check(labels, of: op, opToken)
    let results: [ValueID]
    do throws(Diagnostic) {
      results = try graph.append(
        op, operands, names: names.map(\.0), rate: rate,
        location: SourceLocation(file: file, line: opToken.line, column: opToken.column))
    } catch {
      let failure = fail(error.id, error.message, at: opToken, notes: error.notes)
      // What the line says it computes lets the rest be checked, too.
      guard types.count == names.count else { throw failure }
      results = graph.appendUnchecked(op, operands, types: types, names: names.map(\.0), rate: rate)
    }
    let inferred = results.map { graph.type($0) }
    guard inferred == types else {
      throw fail(
        "type.mismatch", "the operands of '\(mnemonic)' give \(inferred), the line says \(types)",
        at: opToken)
    }
    guard results.count == names.count else {
      throw fail(
        "parse.results", "'\(mnemonic)' has \(results.count) results, found \(names.count) names",
        at: opToken)
    }
    for ((name, token), id) in zip(names, results) {
      guard scope[name] == nil else {
        throw fail("parse.duplicate", "'%\(name)' is defined twice", at: token)
      }
      scope[name] = id
    }
  }

  private mutating func arguments(
    _ scope: [String: ValueID]
  ) throws(Abandon) -> (operands: [ValueID], labels: [String?], attributes: [LabeledAttribute]) {
    var operands: [ValueID] = []
    var labels: [String?] = []
    var attributes: [LabeledAttribute] = []
    try expect("(")
    while !accept(")") {
      if !operands.isEmpty || !attributes.isEmpty { try expect(",") }
      var label: String?
      if case .identifier(let name) = current.kind,
        tokens[position + 1].kind == .punctuation(":")
      {
        label = name
        position += 2
      }
      if case .value = current.kind {
        operands.append(try use(scope))
        labels.append(label)
      } else {
        attributes.append(LabeledAttribute(label, try literal()))
      }
    }
    return (operands, labels, attributes)
  }

  private mutating func literal() throws(Abandon) -> Attribute {
    let token = current
    position += 1
    switch token.kind {
    case .int(let number): return .int(number)
    case .float(let number): return .float(number)
    case .string(let text): return .string(text)
    case .symbol(let name): return .symbol("@" + name)
    case .identifier("true"): return .bool(true)
    case .identifier("false"): return .bool(false)
    case .punctuation("["): return try list()
    default:
      position -= 1
      throw expected("a value or a literal")
    }
  }

  private mutating func list() throws(Abandon) -> Attribute {
    var ints: [Int] = []
    var floats: [Double] = []
    while !accept("]") {
      if !floats.isEmpty { try expect(",") }
      switch current.kind {
      case .int(let number):
        ints.append(number)
        floats.append(Double(number))
      case .float(let number):
        floats.append(number)
      default:
        throw expected("a number")
      }
      position += 1
    }
    return ints.count == floats.count ? .ints(ints) : .floats(floats)
  }

  private mutating func read(
    _ description: OpDescription, _ reader: inout AttributeReader, _ token: Token
  ) throws(Abandon) -> Op {
    do throws(OpError) {
      let op = try description.read(&reader)
      if let rest = reader.remaining.first {
        let label = rest.label.map { "'\($0)'" } ?? Printer.literal(rest.value)
        throw OpError(
          "attribute.unknown", "'\(description.mnemonic)' has no attribute \(label)")
      }
      return op
    } catch {
      throw fail(error.id, error.message, at: token)
    }
  }

  /// Operand labels must be those of the op, in its order.
  private mutating func check(_ labels: [String?], of op: Op, _ token: Token) throws(Abandon) {
    let definition = op.definition
    for (index, label) in labels.enumerated() {
      let wanted = definition.label(index, of: labels.count)
      guard label != wanted else { continue }
      let name = { (label: String?) in label.map { "'\($0):'" } ?? "no label" }
      throw fail(
        "parse.label",
        "operand \(index + 1) of '\(op.mnemonic)' takes \(name(wanted)), found \(name(label))",
        at: token)
    }
  }
}
