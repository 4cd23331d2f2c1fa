import MoscIR

/// Ops that become one kernel; the last member computes its result.
struct FusionGroup {
  /// How the kernel is generated, which decides what may join.
  enum Kind {
    /// A contraction: operands are kernel parameters, consumers join.
    case contraction
    /// Attention, or the squares of a Winograd convolution: operands are kernel parameters, a cast
    /// joins.
    case rounded
    /// A normalisation of rows: elementwise producers and consumers join.
    case rows
    /// Sums over axes: elementwise producers join.
    case reduction
    /// One element at a time, anything elementwise or that moves data joins.
    case loopNest
    /// A gated unit: consumers join.
    case gated
    /// Alone.
    case single
  }

  /// What a member does in its group.
  enum Role {
    case producer, anchor, epilogue
  }

  var kind: Kind
  var anchor: NodeID
  var root: NodeID
  var members: [NodeID: Role]

  init(_ kind: Kind, anchor: NodeID) {
    self.kind = kind
    self.anchor = anchor
    root = anchor
    members = [anchor: .anchor]
  }
}

extension FusionGroup.Kind {
  /// The kind of group an op starts, or nil when it only ever is part of a loop nest.
  init?(_ op: Op) {
    switch op {
    case .linear, .conv2d, .matmul, .winogradConv2d: self = .contraction
    case .attention, .regionalAttention, .winogradInput: self = .rounded
    case .layerNorm, .softmax, .quantise: self = .rows
    case .groupAffine, .reduceSum, .reduceMax, .groupNorm: self = .reduction
    case .geglu: self = .gated
    case .pack, .repack, .loraMerge, .timestepEmbedding, .gather, .scatterAdd, .gram, .lora,
      .call, .attentionStatistics, .attentionGradient:
      self = .single
    default: return nil
    }
  }

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
