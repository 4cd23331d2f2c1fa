/// Reads modules in the `.mos` text format.
///
///     file    = "mosc" 1 NL "stage" STAGE NL { "weights" @name STRING NL } { graph }
///     graph   = ( "func" | "kernel" ) @name "(" params ")" [ "->" "(" results ")" ] "{" NL
///               { stmt NL } "return" [ values ] NL "}" NL
///     params  = [ [ RATE ] %name ":" type { "," … } ]
///     results = [ ( name | STRING ) ":" ] type { "," … }
///     stmt    = [ RATE ] [ values "=" ] mnemonic [ @callee ] "(" args ")" [ ":" types ]
///     arg     = [ label ":" ] ( %name | literal | "[" numbers "]" )
///     type    = dtype "[" extents "]" [ "@panel" INT ]        RATE = "load" | "prompt"
///
/// A bad statement does not stop the parser: it goes on at the next line and reports all it finds.
package struct Parser {
  let file: String
  private let lines: [Substring]
  var tokens: [Token]
  var position = 0
  var errors: [Diagnostic] = []
  /// The values of the graph being read whose statements were bad.
  var broken: Set<String> = []

  /// Marks that an error was recorded and the rest of the line makes no sense.
  struct Abandon: Error {}

  /// Parses a text.
  ///
  /// - Throws: every error found, with file, line and caret.
  package static func parse(_ text: String, file: String = "<text>") throws(Diagnostics) -> Module {
    var parser = Parser(text, file: file)
    let module = parser.module()
    guard parser.errors.isEmpty, let module else { throw Diagnostics(parser.errors) }
    return module
  }

  private init(_ text: String, file: String) {
    self.file = file
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let lexer = Lexer(text)
    tokens = lexer.tokens
    for error in lexer.errors {
      record("parse.character", error.message, line: error.line, column: error.column, length: 1)
    }
  }

  // MARK: Errors

  mutating func record(
    _ id: String, _ message: String, line: Int, column: Int, length: Int, notes: [String] = []
  ) {
    let source = lines.indices.contains(line - 1) ? String(lines[line - 1]) : nil
    errors.append(
      Diagnostic(
        id, message, location: SourceLocation(file: file, line: line, column: column),
        sourceLine: source, length: length, notes: notes))
  }

  mutating func fail(
    _ id: String, _ message: String, at token: Token, notes: [String] = []
  ) -> Abandon {
    record(
      id, message, line: token.line, column: token.column, length: token.length, notes: notes)
    return Abandon()
  }

  mutating func expected(_ what: String) -> Abandon {
    fail("parse.syntax", "expected \(what), found \(current.name)", at: current)
  }

  // MARK: Tokens

  var current: Token { tokens[min(position, tokens.count - 1)] }

  mutating func accept(_ kind: Token.Kind) -> Bool {
    guard current.kind == kind else { return false }
    position += 1
    return true
  }

  mutating func accept(_ punctuation: String) -> Bool { accept(.punctuation(punctuation)) }

  mutating func expect(_ punctuation: String) throws(Abandon) {
    if !accept(punctuation) { throw expected("'\(punctuation)'") }
  }

  mutating func identifier(_ what: String) throws(Abandon) -> String {
    guard case .identifier(let name) = current.kind else { throw expected(what) }
    position += 1
    return name
  }

  mutating func symbol() throws(Abandon) -> String {
    guard case .symbol(let name) = current.kind else { throw expected("'@name'") }
    position += 1
    return name
  }

  mutating func int(_ what: String) throws(Abandon) -> Int {
    guard case .int(let number) = current.kind else { throw expected(what) }
    position += 1
    return number
  }

  mutating func skipNewlines() { while accept(.newline) {} }

  mutating func endOfLine() throws(Abandon) {
    if !accept(.newline) { throw expected("the end of the line") }
  }

  mutating func skipLine() {
    while current.kind != .newline, current.kind != .end { position += 1 }
    _ = accept(.newline)
  }

  // MARK: Module

  private mutating func module() -> Module? {
    var module = Module()
    do throws(Abandon) {
      skipNewlines()
      guard try identifier("'mosc 1'") == "mosc" else { throw expected("'mosc 1'") }
      let version = current
      guard try int("a format version") == 1 else {
        throw fail("parse.version", "expected version 1, found \(version.name)", at: version)
      }
      try endOfLine()
      skipNewlines()
      guard try identifier("'stage'") == "stage" else { throw expected("'stage'") }
      let stage = current
      guard let known = Stage(rawValue: try identifier("a stage")) else {
        throw fail(
          "parse.stage", "expected stage tensor, kernel or buffer, found \(stage.name)", at: stage)
      }
      module.stage = known
      try endOfLine()
    } catch {
      return nil
    }
    while true {
      skipNewlines()
      if current.kind == .end { return module }
      do throws(Abandon) {
        let start = current
        switch try identifier("'weights', 'func' or 'kernel'") {
        case "weights":
          let name = try symbol()
          guard case .string(let path) = current.kind else { throw expected("a file name") }
          position += 1
          module.weights.append(WeightsDeclaration(name: name, path: path))
          try endOfLine()
        case "func":
          try graph(.function, start, into: &module)
        case "kernel":
          try graph(.kernel, start, into: &module)
        default:
          throw fail(
            "parse.syntax", "expected 'weights', 'func' or 'kernel', found \(start.name)",
            at: start)
        }
      } catch {
        skipLine()
      }
    }
  }

  // MARK: Types

  mutating func type() throws(Abandon) -> TensorType {
    let start = current
    guard let dtype = DType(rawValue: try identifier("a type")) else {
      let known = DType.allCases.map(\.rawValue).joined(separator: ", ")
      throw fail("parse.type", "expected one of \(known), found \(start.name)", at: start)
    }
    try expect("[")
    var shape: [Int] = []
    while !accept("]") {
      if !shape.isEmpty { try expect(",") }
      let token = current
      let extent = try int("an extent")
      shape.append(extent)
      guard extent >= 1, TensorType.isBounded(shape) else {
        throw fail(
          "parse.extent",
          "extent \(extent) is out of range: expected at least 1, and at most "
            + "\(TensorType.mostElements) elements in all", at: token)
      }
    }
    guard case .symbol(let layout) = current.kind else { return TensorType(dtype, shape) }
    guard layout.hasPrefix("panel"), let width = Int(layout.dropFirst(5)),
      1...TensorType.mostElements ~= width
    else {
      throw fail("parse.layout", "expected '@panel' and a width, found '@\(layout)'", at: current)
    }
    position += 1
    return TensorType(dtype, shape, layout: .panel(width))
  }
}
