/// An op whose result type is an attribute written only as the result type of the statement.
package protocol ResultTypedOp: TensorOp {
  /// The result type.
  var type: TensorType { get }
  init(_ type: TensorType)
}

extension ResultTypedOp {
  package static var signature: Signature { Signature([nil]) }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    self.init(try reader.resultType())
  }
}
