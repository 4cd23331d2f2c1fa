import MoscIR

/// Brings a function to one spelling: algebraic identities, constant folding, common
/// subexpressions, dead code.
///
/// Identities are exact but for the sign of zero.
///
/// - Stage: tensor → tensor.
/// - Refuses: folds of more than 4096 elements (`canonicalise.large-constant`).
/// - Order: first, so that later passes meet one spelling of everything.
package struct Canonicalise: Pass {
  package static let name = "canonicalise"
  package static let stages = (from: Stage.tensor, to: Stage.tensor)
  package static let isOptional = true
  /// The largest tensor that is folded to a constant.
  package static let largestConstant = 4096

  package init(_ options: inout PassOptions) {}

  private struct Expression: Hashable {
    var op: Op
    var operands: [ValueID]
  }

  package func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      // Each round can expose more; every change removes or shortens something, so this ends.
      while try round(&module.graphs[index], &context) {}
    }
  }

  /// One walk over the graph; whether it changed anything.
  private func round(
    _ graph: inout Graph, _ context: inout PassContext
  ) throws(Diagnostic) -> Bool {
    let old = graph
    var changes = 0
    var seen: [Expression: [ValueID]] = [:]
    graph = try old.rebuilt { (id, operands, new) throws(Diagnostic) -> [ValueID]? in
      let node = old[id]
      let value = old[node.results[0]]
      if let same = Identities.replacement(node.op, operands, value.type, in: new) {
        changes += 1
        context.count("identities")
        return [same]
      }
      var (op, inputs) = (node.op, operands)
      if let shorter = Identities.shortened(node.op, operands, value.type, in: new) {
        (op, inputs) = shorter
        changes += 1
        context.count("shortened")
      } else if let folded = try constant(node.op, operands, value, in: new, &context) {
        (op, inputs) = (.constant(folded), [])
        changes += 1
        context.count("folded")
      }
      let expression = Expression(op: op, operands: inputs)
      if let known = seen[expression], !op.traits.contains(.structural) {
        changes += 1
        context.count("common")
        return known
      }
      let results = new.appendUnchecked(
        op, inputs, types: node.results.map(old.type), names: node.results.map { old[$0].name },
        location: node.location)
      for (from, to) in zip(node.results, results) { new[to].rate = old[from].rate }
      seen[expression] = results
      return results
    }
    let removed = graph.removeDeadNodes()
    context.count("dead", by: removed)
    return changes > 0
  }

  /// The constant that an op on constants computes.
  private func constant(
    _ op: Op, _ operands: [ValueID], _ value: Value, in graph: Graph, _ context: inout PassContext
  ) throws(Diagnostic) -> Constant? {
    guard !operands.isEmpty, !op.traits.contains(.structural), value.type.layout == .dense else {
      return nil
    }
    var inputs: [HostTensor] = []
    for operand in operands {
      guard case .constant(let constant) = graph.producerOp(operand) else { return nil }
      inputs.append(
        constant.values.count == 1
          ? HostTensor(constant.type, repeating: constant.values[0])
          : HostTensor(constant.type, constant.values))
    }
    guard value.type.count <= Self.largestConstant else {
      context.remark(
        "large-constant", "'%\(value.name)' is not folded: \(value.type.count) elements")
      return nil
    }
    let environment = EvaluationEnvironment(
      weight: { (_, _) in nil },
      call: { (name, _) throws(OpError) in
        throw OpError("canonicalise.call", "'@\(name)' is not constant")
      })
    do throws(OpError) {
      let result = try op.definition.evaluate(inputs, [value.type], environment)[0]
      let first = result.elements.first ?? 0
      let isUniform = result.elements.allSatisfy { $0.bitPattern == first.bitPattern }
      return Constant(isUniform ? [first] : result.elements, value.type)
    } catch {
      throw Diagnostic(error.id, error.message)
    }
  }
}
