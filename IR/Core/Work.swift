/// What a kernel has to do at least: arithmetic and memory traffic, counted from its ops.
///
/// Arithmetic is what the ops say (`OpCost`). Memory is every parameter read and every result written
/// once.
package struct Work: Hashable, Sendable {
  /// Floating-point operations, two per multiplication and addition.
  package var flops: Int
  /// Bytes of parameters and results.
  package var bytes: Int

  package init(flops: Int = 0, bytes: Int = 0) {
    self.flops = flops
    self.bytes = bytes
  }

  /// The work of a kernel's body.
  package init(of kernel: Graph) {
    bytes = (kernel.parameters + kernel.results).reduce(0) { $0 + kernel.type($1).byteCount() }
    flops = kernel.order.reduce(0) { $0 + kernel.cost($1).flops }
  }
}
