/// One use of an op in a program that is differentiated: what its gradient rule is given.
///
/// All ops that have a rule give one result.
package struct GradientSite: Hashable, Sendable {
  /// The operands of the op.
  package var operands: [ValueID]
  /// The result of the op.
  package var result: ValueID
  /// The derivative of the loss by the result, `∂L/∂y`, of the result's type.
  package var gradient: ValueID
  /// Whether the gradient of each operand is wanted.
  package var needs: [Bool]

  package init(operands: [ValueID], result: ValueID, gradient: ValueID, needs: [Bool]) {
    self.operands = operands
    self.result = result
    self.gradient = gradient
    self.needs = needs
  }
}

/// What the gradient rule of an op gives.
package enum OperandGradients: Hashable, Sendable {
  /// `∂L/∂x` for each operand that needs one, of the operand's type; nil for the others.
  case values([ValueID?])
  /// No gradient can be had; the reason completes the sentence "… has no gradient: …".
  case none(because: String)
}

extension GradientSite {
  /// The gradients of the operands that need one, built one by one.
  package func each(
    _ build: (_ operand: Int, _ x: ValueID) throws(Diagnostic) -> ValueID?
  ) throws(Diagnostic) -> OperandGradients {
    var result: [ValueID?] = []
    for (index, operand) in operands.enumerated() {
      result.append(needs[index] ? try build(index, operand) : nil)
    }
    return .values(result)
  }
}

extension Graph {
  /// A number that broadcasts against the value.
  package mutating func number(_ number: Double, like x: ValueID) throws(Diagnostic) -> ValueID {
    let type = type(x)
    return try constant(
      number, TensorType(type.dtype, [Int](repeating: 1, count: type.rank)))
  }

  /// `y = x · number`.
  package mutating func scaled(_ x: ValueID, by number: Double) throws(Diagnostic) -> ValueID {
    number == 1 ? x : try mul(x, try self.number(number, like: x))
  }

  /// The sum over the axes along which the shape has extent 1: the gradient of a broadcast.
  package mutating func sum(_ x: ValueID, to shape: [Int]) throws(Diagnostic) -> ValueID {
    let from = type(x).shape
    let axes = shape.indices.filter { shape[$0] == 1 && from[$0] != 1 }
    return axes.isEmpty ? x : try reduceSum(x, axes: axes)
  }

  /// The value as a matrix of its last axis, the other axes flattened.
  package mutating func matrix(_ x: ValueID) throws(Diagnostic) -> ValueID {
    let type = type(x)
    return try reshape(x, to: [type.rows, type.lastExtent])
  }

  /// The transposed matrix.
  package mutating func transposed(_ x: ValueID) throws(Diagnostic) -> ValueID {
    try transpose(x, axes: [1, 0])
  }

  /// The sum over all axes but the last, as a vector.
  package mutating func columnSums(_ x: ValueID) throws(Diagnostic) -> ValueID {
    let rows = try matrix(x)
    let width = type(x).lastExtent
    if type(rows).shape[0] == 1 { return try reshape(x, to: [width]) }
    return try reshape(try reduceSum(rows, axes: [0]), to: [width])
  }
}
