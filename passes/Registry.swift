import MoscIR

/// Every pass there is.
package enum Registry {
  /// The passes in alphabetical order of their flags.
  package static let all: [any Pass.Type] = [
    Bufferise.self,
    Canonicalise.self,
    ChooseKernels.self,
    Differentiate.self,
    FoldLoRA.self,
    Fuse.self,
    InferRates.self,
    PackWeights.self,
    PlanMemory.self,
    Rematerialise.self,
    SplitGates.self,
    SplitRates.self,
    SplitUpsample.self,
    Winograd.self,
  ]

  /// The pass of that flag.
  package static func named(_ name: String) -> (any Pass.Type)? { all.first { $0.name == name } }
}
