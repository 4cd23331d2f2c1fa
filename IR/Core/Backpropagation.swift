extension Graph {
  /// What backpropagation found.
  package struct Backpropagation {
    /// `∂L/∂x` for each wanted value, or nil where the loss does not depend on it.
    package var gradients: [ValueID?] = []
    /// The nodes at which a dependence ends because their results are whole numbers.
    package var ends: [NodeID] = []
  }

  /// Reverse-mode differentiation: appends what computes the gradients of some wanted values.
  ///
  /// `∂L/∂x = Σ over uses y of x of ∂L/∂y · ∂y/∂x`, from the seeds backwards (Griewank & Walther
  /// 2008, chapter 3). Only values between a wanted one and a seed get a gradient. Uses add up in
  /// the reverse order of the program, so equal programs have equal sums.
  ///
  /// - Parameters:
  ///   - seeds: Values with the gradient of the loss by them.
  ///   - nodes: The part of the program to go back through, in execution order.
  /// - Throws: `differentiate.none` at an op without a gradient between a wanted value and a seed.
  package mutating func backpropagate(
    _ seeds: [(value: ValueID, gradient: ValueID)], to wanted: [ValueID], through nodes: [NodeID]
  ) throws(Diagnostic) -> Backpropagation {
    var found = Backpropagation()
    var depends = SideTable<ValueTag, Bool>(default: false)
    for id in wanted { depends[id] = true }
    for id in nodes where self[id].operands.contains(where: { depends[$0] }) {
      for result in self[id].results {
        if type(result).dtype.isFloat { depends[result] = true } else { found.ends.append(id) }
      }
    }
    var gradients = SideTable<ValueTag, ValueID?>(default: nil)
    for seed in seeds { try accumulate(seed.gradient, on: seed.value, in: &gradients) }
    for id in nodes.reversed() {
      let node = self[id]
      guard let result = node.results.first, depends[result], let gradient = gradients[result],
        node.operands.contains(where: { depends[$0] })
      else { continue }
      let site = GradientSite(
        operands: node.operands, result: result, gradient: gradient,
        needs: node.operands.map { depends[$0] })
      switch try node.op.definition.gradient(site, in: &self) {
      case .values(let values):
        for (operand, value) in zip(node.operands, values) where depends[operand] {
          if let value { try accumulate(value, on: operand, in: &gradients) }
        }
      case .none(let reason):
        throw Diagnostic(
          "differentiate.none", "'\(node.op.mnemonic)' has no gradient: \(reason)",
          location: node.location, notes: [Printer.print(node, in: self)])
      }
    }
    found.gradients = wanted.map { gradients[$0] }
    return found
  }

  private mutating func accumulate(
    _ gradient: ValueID, on value: ValueID, in table: inout SideTable<ValueTag, ValueID?>
  ) throws(Diagnostic) {
    if let sum = table[value] {
      table[value] = try add(sum, gradient)
    } else {
      table[value] = gradient
    }
  }
}

extension CompositeOp {
  /// The gradient of the decomposition.
  package func decompositionGradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    let start = graph.order.count
    let results = try decompose(site.operands, in: &graph)
    let nodes = Array(graph.order[start...])
    let wanted = zip(site.operands, site.needs).filter(\.1).map(\.0)
    let found = try graph.backpropagate(
      [(results[0], site.gradient)], to: wanted, through: nodes)
    // An operand that stands in several places gets its whole gradient at the first of them.
    var given: Set<ValueID> = []
    var values: [ValueID?] = []
    for (operand, needs) in zip(site.operands, site.needs) {
      guard needs, given.insert(operand).inserted, let index = wanted.firstIndex(of: operand)
      else {
        values.append(nil)
        continue
      }
      values.append(found.gradients[index])
    }
    return .values(values)
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    try decompositionGradient(site, in: &graph)
  }
}
