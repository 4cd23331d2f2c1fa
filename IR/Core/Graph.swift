/// A value: a parameter of the graph or a result of a node.
package struct Value: Hashable, Sendable {
  /// Where a value comes from.
  package enum Definition: Hashable, Sendable {
    case parameter(Int)
    case result(NodeID, Int)
  }

  /// The name in the text format without its sigil, unique in the graph.
  package var name: String
  package var type: TensorType
  package var rate: Rate
  package internal(set) var definition: Definition
}

/// An op applied to operands.
package struct Node: Hashable, Sendable {
  package var op: Op
  package var operands: [ValueID]
  package internal(set) var results: [ValueID]
  package var location: SourceLocation?
}

/// A function or kernel: parameters, nodes in execution order, results.
///
/// A plain value: values and nodes live in tables indexed by typed ids; removing a node only takes
/// it out of `order`. Passes usually build a new graph (see `rebuilt`).
package struct Graph: Hashable, Sendable {
  /// Whether the graph is called once per phase or compiled as one kernel.
  package enum Kind: String, Hashable, Sendable {
    case function = "func"
    case kernel
  }

  package var name: String
  package var kind: Kind
  package private(set) var values: [Value] = []
  package private(set) var nodes: [Node] = []
  /// The nodes that are part of the program, each after what it uses.
  package var order: [NodeID] = []
  package private(set) var parameters: [ValueID] = []
  package var results: [ValueID] = []
  /// Names for the results, as files call them; empty or one per result.
  package var resultNames: [String] = []
  private var usedNames: Set<String> = []
  private var nextNumber = 0

  package init(_ name: String, kind: Kind = .function) {
    self.name = name
    self.kind = kind
  }

  package subscript(id: ValueID) -> Value {
    get { values[id.index] }
    set { values[id.index] = newValue }
  }

  package subscript(id: NodeID) -> Node {
    get { nodes[id.index] }
    set { nodes[id.index] = newValue }
  }

  /// The type of a value.
  package func type(_ id: ValueID) -> TensorType { values[id.index].type }

  /// The node that defines a value, or nil for a parameter.
  package func producer(_ id: ValueID) -> NodeID? {
    if case .result(let node, _) = values[id.index].definition { return node }
    return nil
  }

  /// The op that defines a value, or nil for a parameter.
  package func producerOp(_ id: ValueID) -> Op? { producer(id).map { self[$0].op } }

  // MARK: Building

  /// Adds a parameter.
  @discardableResult
  package mutating func parameter(
    _ name: String, _ type: TensorType, rate: Rate = .step
  ) -> ValueID {
    let id = addValue(name, type, rate, .parameter(parameters.count))
    parameters.append(id)
    return id
  }

  /// Appends a node, inferring its result types; names default to the next free numbers.
  ///
  /// - Throws: the op's error when the operands do not fit it.
  package mutating func append(
    _ op: Op, _ operands: [ValueID], names: [String?] = [], rate: Rate = .step,
    location: SourceLocation? = nil
  ) throws(Diagnostic) -> [ValueID] {
    let definition = op.definition
    let types: [TensorType]
    do throws(OpError) {
      let signature = Swift.type(of: definition).signature
      guard signature.accepts(operands.count) else {
        throw OpError(
          "op.arity",
          "'\(op.mnemonic)' does not take \(operands.count) operands "
            + "(required: \(signature.required.count))")
      }
      types = try op.resultTypes(operands.map { type($0) })
    } catch {
      let text = operands.map { "'%\(self[$0].name)': \(self[$0].type)" }
      throw Diagnostic(
        error.id, "in '\(op.mnemonic)': \(error.message)", location: location,
        notes: text.isEmpty ? [] : ["operands are " + text.joined(separator: ", ")])
    }
    return appendUnchecked(
      op, operands, types: types, names: names, rate: rate, location: location)
  }

  /// Appends a node whose result types are known to be right.
  package mutating func appendUnchecked(
    _ op: Op, _ operands: [ValueID], types: [TensorType], names: [String?] = [],
    rate: Rate = .step, location: SourceLocation? = nil
  ) -> [ValueID] {
    let id = NodeID(nodes.count)
    var results: [ValueID] = []
    for (index, type) in types.enumerated() {
      let name = index < names.count ? names[index] : nil
      results.append(addValue(name, type, rate, .result(id, index)))
    }
    nodes.append(Node(op: op, operands: operands, results: results, location: location))
    order.append(id)
    return results
  }

  /// Appends a node with one result.
  package mutating func emit(
    _ op: Op, _ operands: [ValueID], name: String? = nil, rate: Rate = .step
  ) throws(Diagnostic) -> ValueID {
    try append(op, operands, names: [name], rate: rate)[0]
  }

  private mutating func addValue(
    _ name: String?, _ type: TensorType, _ rate: Rate, _ definition: Value.Definition
  ) -> ValueID {
    let id = ValueID(values.count)
    values.append(
      Value(name: unique(name), type: type, rate: rate, definition: definition))
    return id
  }

  /// A name not used yet: the given one, the given one with a number, or the next free number.
  private mutating func unique(_ wanted: String?) -> String {
    if let wanted, usedNames.insert(wanted).inserted { return wanted }
    guard let wanted else {
      while true {
        defer { nextNumber += 1 }
        if usedNames.insert(String(nextNumber)).inserted { return String(nextNumber) }
      }
    }
    var suffix = 1
    while !usedNames.insert("\(wanted).\(suffix)").inserted { suffix += 1 }
    return "\(wanted).\(suffix)"
  }

  /// Gives a value another name, with a number behind it if the name is taken.
  package mutating func rename(_ id: ValueID, _ name: String) {
    if self[id].name == name { return }
    usedNames.remove(self[id].name)
    self[id].name = unique(name)
  }

  // MARK: Looking around

  /// The nodes that use each value, in order; a node appears once per use.
  package func users() -> SideTable<ValueTag, [NodeID]> {
    var table = SideTable<ValueTag, [NodeID]>(default: [])
    for id in order {
      for operand in self[id].operands { table[operand].append(id) }
    }
    return table
  }

  /// Builds a graph by visiting this one's nodes in order.
  ///
  /// The body gets each node with its operands as values of the new graph, appends what shall
  /// stand for it, and returns the values that replace the node's results; nil keeps the node
  /// unchanged. Names of kept and one-to-one replaced values survive.
  ///
  /// - Parameter kept: the parameters to keep, all that anything reads among them; nil for all.
  package func rebuilt<Failure: Error>(
    keeping kept: [ValueID]? = nil,
    _ body: (_ node: NodeID, _ operands: [ValueID], _ graph: inout Graph) throws(Failure)
      -> [ValueID]?
  ) throws(Failure) -> Graph {
    var result = Graph(name, kind: kind)
    result.resultNames = resultNames
    // New numbers start after the old ones, so that kept values keep their numbers.
    result.nextNumber = (values.compactMap { Int($0.name) }.filter { $0 < 1 << 48 }.max() ?? -1) + 1
    var map = SideTable<ValueTag, ValueID?>(default: nil)
    for id in kept ?? parameters {
      map[id] = result.parameter(self[id].name, self[id].type, rate: self[id].rate)
    }
    for id in order {
      let node = self[id]
      let operands = node.operands.compactMap { map[$0] }
      precondition(operands.count == node.operands.count, "operand used before its definition")
      if let replacements = try body(id, operands, &result) {
        for (old, new) in zip(node.results, replacements) { map[old] = new }
      } else {
        let kept = result.appendUnchecked(
          node.op, operands, types: node.results.map { type($0) },
          names: node.results.map { self[$0].name }, location: node.location)
        for (old, new) in zip(node.results, kept) {
          result[new].rate = self[old].rate
          map[old] = new
        }
      }
    }
    result.results = self.results.compactMap { map[$0] }
    return result
  }
}

extension Graph {
  /// In stage buffer, the parameters that launches write: the results of the function.
  package var outputParameters: [ValueID] {
    var written: Set<ValueID> = []
    for id in order {
      guard case .launch(let launch) = self[id].op else { continue }
      written.formUnion(self[id].operands.suffix(launch.outputCount))
    }
    return parameters.filter(written.contains)
  }

  /// A name for every result, each different: those declared, else those of the values, numbered
  /// where a value is returned again.
  package var resultLabels: [String] {
    var labels: [String] = []
    for (index, id) in results.enumerated() {
      let name = index < resultNames.count ? resultNames[index] : self[id].name
      var label = name
      var number = 1
      while labels.contains(label) {
        number += 1
        label = "\(name).\(number)"
      }
      labels.append(label)
    }
    return labels
  }
}
