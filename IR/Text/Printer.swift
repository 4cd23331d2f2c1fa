/// Writes modules in the `.mos` text format; printing a parsed file gives the same bytes.
package struct Printer {
  private var text = ""

  /// The text of a module.
  package static func print(_ module: Module) -> String {
    var printer = Printer()
    printer.text = "mosc 1\nstage \(module.stage.rawValue)\n"
    for declaration in module.weights {
      printer.text += "weights @\(declaration.name) \(quote(declaration.path))\n"
    }
    for graph in module.graphs {
      printer.text += "\n"
      printer.print(graph)
    }
    return printer.text
  }

  /// The text of one function or kernel.
  package static func print(_ graph: Graph) -> String {
    var printer = Printer()
    printer.print(graph)
    return printer.text
  }

  /// The text of one statement without indentation or line end.
  package static func print(_ node: Node, in graph: Graph) -> String {
    statement(node, graph)
  }

  private mutating func print(_ graph: Graph) {
    let parameters = graph.parameters.map { id in
      "\(graph[id].rate.prefix)%\(graph[id].name): \(graph[id].type)"
    }
    text += "\(graph.kind.rawValue) @\(graph.name)(\(parameters.joined(separator: ", ")))"
    if !graph.results.isEmpty {
      let results = graph.results.enumerated().map { index, id in
        index < graph.resultNames.count
          ? "\(Self.label(graph.resultNames[index])): \(graph[id].type)" : "\(graph[id].type)"
      }
      text += " -> (\(results.joined(separator: ", ")))"
    }
    text += " {\n"
    for id in graph.order { text += "  \(Self.statement(graph[id], graph))\n" }
    let results = graph.results.map { "%\(graph[$0].name)" }
    text += results.isEmpty ? "  return\n}\n" : "  return \(results.joined(separator: ", "))\n}\n"
  }

  private static func statement(_ node: Node, _ graph: Graph) -> String {
    let definition = node.op.definition
    var line = node.results.first.map { graph[$0].rate.prefix } ?? ""
    if !node.results.isEmpty {
      line += node.results.map { "%\(graph[$0].name)" }.joined(separator: ", ") + " = "
    }
    line += node.op.mnemonic
    if let callee = definition.callee { line += " @\(callee)" }
    var arguments: [String] = []
    for (index, operand) in node.operands.enumerated() {
      let label = definition.label(index, of: node.operands.count)
      arguments.append((label.map { "\($0): " } ?? "") + "%\(graph[operand].name)")
    }
    for attribute in definition.attributes {
      arguments.append((attribute.label.map { "\($0): " } ?? "") + literal(attribute.value))
    }
    line += "(\(arguments.joined(separator: ", ")))"
    if !node.results.isEmpty {
      line += " : " + node.results.map { "\(graph[$0].type)" }.joined(separator: ", ")
    }
    return line
  }

  /// The text of a literal.
  static func literal(_ value: Attribute) -> String {
    switch value {
    case .int(let number): "\(number)"
    case .float(let number): "\(number)"
    case .bool(let flag): "\(flag)"
    case .string(let text): quote(text)
    case .symbol(let name): name
    case .ints(let list): "[\(list.map(String.init).joined(separator: ", "))]"
    case .floats(let list): "[\(list.map { "\($0)" }.joined(separator: ", "))]"
    }
  }

  /// The name of a result: as it is if it can be read as a name, else in quotes.
  static func label(_ name: String) -> String {
    let isWord = name.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    let first = name.first ?? "0"
    return isWord && (first.isLetter || first == "_") && name != "inf" && name != "nan"
      ? name : quote(name)
  }

  /// A string literal with quotes, backslashes and control characters escaped.
  static func quote(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
