import MoscIR
import MoscLLVM

/// One vector of finished outputs, handed to the epilogue of a contraction.
package struct ContractionResult {
  /// f32 sums.
  package let value: LLVMValue
  /// The flattened output row, an i64.
  package let row: LLVMValue
  /// The output channel of the first lane, an i64.
  package let column: LLVMValue
  /// The number of valid lanes, from the first on.
  package let count: Int
}

/// Writes matrix products and implicit-GEMM convolutions.
///
/// Tasks are row blocks × column blocks, column blocks outermost so that consecutive tasks reuse
/// weights. A task sums all of its depth: depth blocks > panels > register tiles, partial sums in
/// stack memory; after the last depth block of a tile its rows go through the epilogue. The order
/// of additions depends on the specification and the processor alone.
package enum ContractionKernel {
  /// Writes biases, residual additions, activations, conversions and the stores of one output vector.
  package typealias Epilogue = (FunctionEmitter, ContractionResult) throws -> Void
  /// Asks for the memory that the epilogue of some columns of one output row reads and writes.
  package typealias Prefetch = (_ row: LLVMValue, _ column: LLVMValue, _ columns: Int) -> Void

  /// The number of independent tasks.
  package static func tasks(_ spec: ContractionSpec, _ target: TargetFacts) -> Int {
    ContractionPlan(spec, lanes: target.lanes).tasks
  }

  /// A second product whose sums are added to those of the first: its outputs are the same, cut by the
  /// same tile.
  package struct Continuation {
    package let spec: ContractionSpec
    /// Input and packed weights.
    package let a, b: LLVMValue

    package init(_ spec: ContractionSpec, a: LLVMValue, b: LLVMValue) {
      (self.spec, self.a, self.b) = (spec, a, b)
    }
  }

  /// Writes the code of task `task` into the function being written.
  ///
  /// - Parameters:
  ///   - a: The input buffer, aligned to its elements.
  ///   - b: The packed weights (see `Pack`), aligned to 64 bytes.
  ///   - continuation: A second product whose sums are added.
  ///   - gate: What outputs are multiplied by.
  ///   - prefetch: Called for each row of a tile before its last products are summed.
  package static func emit(
    _ e: FunctionEmitter, _ spec: ContractionSpec, task: LLVMValue, a: LLVMValue, b: LLVMValue,
    continuation: Continuation? = nil, gate: RowGate? = nil, prefetch: Prefetch? = nil,
    epilogue: @escaping Epilogue
  ) throws {
    try spec.check(e.target)
    let plan = ContractionPlan(spec, lanes: e.target.lanes)
    var next: ContractionEmitter?
    if let continuation {
      let second = continuation.spec
      try second.check(e.target)
      try EmitError.require(
        second.continues(spec),
        "a product of \(second.rows)x\(second.columns) outputs cannot be added to one of "
          + "\(spec.rows)x\(spec.columns)")
      next = try ContractionEmitter(
        e, ContractionPlan(second, lanes: e.target.lanes, continues: true), a: continuation.a,
        b: continuation.b, prefetch: nil, epilogue: { _, _ in })
    }
    let emitter = try ContractionEmitter(
      e, plan, a: a, b: b, next: next, gate: gate, prefetch: prefetch, epilogue: epilogue)
    try emitter.write(task)
  }
}
