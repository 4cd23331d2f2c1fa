/// What passes may know about the processor that code is generated for.
package struct Target: Hashable, Sendable {
  /// The number of `f32` lanes of a vector register.
  package var lanes: Int
  /// The number of vector registers.
  package var vectorRegisters: Int
  /// Whether there is a fused bf16 pair dot product with f32 accumulation.
  package var hasBF16Dot: Bool

  package init(lanes: Int, vectorRegisters: Int, hasBF16Dot: Bool) {
    self.lanes = lanes
    self.vectorRegisters = vectorRegisters
    self.hasBF16Dot = hasBF16Dot
  }

  /// 512-bit vectors with bf16 dot products (Zen 4, Cooper Lake and later).
  package static let avx512BF16 = Target(lanes: 16, vectorRegisters: 32, hasBF16Dot: true)
  /// 256-bit vectors with fused multiply-add (x86-64-v3).
  package static let avx2 = Target(lanes: 8, vectorRegisters: 16, hasBF16Dot: false)
}
