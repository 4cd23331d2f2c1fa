/// An op on the statistics of channel groups: `x, scale, shift` with a group count and an epsilon.
package protocol GroupStatisticsOp: TensorOp {
  /// The number of groups, which divides the channels.
  var groups: Int { get }
  /// What is added to the variance.
  var eps: Double { get }
  init(groups: Int, eps: Double)
}

extension GroupStatisticsOp {
  package static var signature: Signature { Signature([nil, "scale", "shift"]) }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    self.init(groups: try reader.int("groups"), eps: try reader.float("eps"))
  }

  package var attributes: [LabeledAttribute] {
    [LabeledAttribute("groups", .int(groups)), LabeledAttribute("eps", .float(eps))]
  }

  /// Checks x `[n, …, c]`, scale and shift `[c]`, all f32, and that the groups divide c.
  func checkOperands(_ operands: [TensorType]) throws(OpError) {
    let x = operands[0]
    if x.rank < 2 { throw error("rank", "expected [n, …, c], found \(x)") }
    try expectNormOperands(operands, channels: x.lastExtent)
    guard groups >= 1, x.lastExtent % groups == 0 else {
      throw error(
        "groups", "group count must divide channels: \(x.lastExtent) channels, \(groups) groups")
    }
  }
}
