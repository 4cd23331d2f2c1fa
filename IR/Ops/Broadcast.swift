/// Repetition along axes of extent 1: `y[i] = x[i with 0 on axes of extent 1]`.
///
/// - Shapes: x of the result's rank with extents equal or 1.
/// - Gradient: `dy` summed over the repeated axes.
package struct Broadcast: ResultTypedOp, MovementOp {
  package static let mnemonic = "broadcast"
  package static let codeLength = 0
  package var type: TensorType

  package init(_ type: TensorType) { self.type = type }

  package func alignedOperands(from axis: Int, of count: Int) -> Range<Int>? {
    0..<count
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let x = operands[0]
    guard x.rank == type.rank, x.dtype == type.dtype,
      zip(x.shape, type.shape).allSatisfy({ $0 == $1 || $0 == 1 })
    else { throw error("shape", "\(x) does not broadcast to \(type)") }
    return [type]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    [HostTensor(types[0]) { operands[0].broadcast($0) }]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .values([try graph.sum(site.gradient, to: graph.type(site.operands[0]).shape)])
  }
}

extension Graph {
  /// Appends `broadcast`, or nothing when the shape is already right.
  package mutating func broadcast(
    _ x: ValueID, to shape: [Int], name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    type(x).shape == shape
      ? x : try emit(.broadcast(Broadcast(type(x).with(shape: shape))), [x], name: name)
  }
}
