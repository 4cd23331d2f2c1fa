/// An op defined by simpler ops; kept whole in models and dumps because fusion and kernels know it.
package protocol CompositeOp: TensorOp {
  /// Appends the defining ops and returns the values that stand for the results.
  func decompose(_ operands: [ValueID], in graph: inout Graph) throws(Diagnostic) -> [ValueID]
}
