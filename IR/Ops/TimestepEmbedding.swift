/// Sinusoidal embedding of timesteps: `[cos(t·fᵢ), sin(t·fᵢ)]` (or sine first), where
/// `fᵢ = 10000^(−i / (dim/2 − shift))`.
///
/// - Shapes: t f32 `[n]` (training timesteps) → f32 `[n, dim]`, dim even.
/// - Types: frequencies and phases are rounded to f32 as the reference does; a phase error of
///   `t · 6e-8` rad is part of the definition.
/// - Source: Vaswani et al. 2017, section 3.5; diffusers `get_timestep_embedding`.
/// - Gradient: none: timesteps are data, and their phases are rounded.
package struct TimestepEmbedding: KernelOp {
  package static let mnemonic = "timestep_embedding"
  package static let signature = Signature([nil])
  package static let traits: Traits = []
  package static let kernelKind = KernelKind.single
  package var dim: Int
  package var flipSinToCos: Bool
  package var shift: Double

  package init(dim: Int, flipSinToCos: Bool, shift: Double) {
    self.dim = dim
    self.flipSinToCos = flipSinToCos
    self.shift = shift
  }

  package init(reading reader: inout AttributeReader) throws(OpError) {
    dim = try reader.int("dim")
    flipSinToCos = try reader.optionalBool("flip") ?? false
    shift = try reader.float("shift")
  }

  package var attributes: [LabeledAttribute] {
    [
      LabeledAttribute("dim", .int(dim)), LabeledAttribute("flip", .bool(flipSinToCos)),
      LabeledAttribute("shift", .float(shift)),
    ]
  }

  /// The frequencies, rounded to f32 at each operation of the reference.
  package var frequencies: [Float] {
    let half = dim / 2
    return (0..<half).map { i in
      let exponent = Float(-Libm.log(10000)) * Float(i) / Float(Double(half) - shift)
      return Float(Libm.exp(Double(exponent)))
    }
  }

  package func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost {
    OpCost(flops: results[0].count, codeLength: 12)
  }

  package func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let t = operands[0]
    guard t.dtype == .f32, t.rank == 1 else { throw error("rank", "expected f32[n], found \(t)") }
    guard dim >= 2, dim % 2 == 0 else { throw error("dim", "expected an even dim, found \(dim)") }
    return [.f32(t.shape[0], dim)]
  }

  package func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor] {
    let frequencies = self.frequencies
    let half = dim / 2
    return [
      HostTensor(types[0]) { at in
        let phase = Double(Float(operands[0].elements[at[0]]) * frequencies[at[1] % half])
        let isCosine = (at[1] < half) == flipSinToCos
        return isCosine ? Libm.cos(phase) : Libm.sin(phase)
      }
    ]
  }

  package func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients {
    .none(because: "timesteps are data, and their phases are rounded")
  }
}

extension Graph {
  /// Appends `timestep_embedding`.
  package mutating func timestepEmbedding(
    _ t: ValueID, dim: Int, flipSinToCos: Bool, shift: Double, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    try emit(
      .timestepEmbedding(TimestepEmbedding(dim: dim, flipSinToCos: flipSinToCos, shift: shift)),
      [t], name: name)
  }
}
