import MoscIR

/// Ops that become one kernel; the last member computes its result.
struct FusionGroup {
  /// What a member does in its group.
  enum Role {
    case producer, anchor, epilogue
    /// A contraction whose products are added to the anchor's sums.
    case summand
  }

  /// How the kernel is generated, which decides what may join.
  var kind: KernelKind
  var anchor: NodeID
  var root: NodeID
  var members: [NodeID: Role]

  init(_ kind: KernelKind, anchor: NodeID) {
    self.kind = kind
    self.anchor = anchor
    root = anchor
    members = [anchor: .anchor]
  }
}

extension KernelKind {
  /// Whether an op that reads the result may join.
  func takes(consumer op: Op) -> Bool {
    switch self {
    case .contraction, .rows, .gated: return true
    case .rounded:
      if case .cast = op { return true }
      return false
    case .reduction, .loopNest, .single: return false
    }
  }
}
