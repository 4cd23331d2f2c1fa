/// The most that a program may keep in memory, by computing some of it anew; nil for any.
package struct MemoryBudget: Hashable, Sendable {
  /// Bytes of packed weights and other values computed at load that a step may read.
  package var load: Int?
  /// Bytes of a step's values that should be in use at once, before fusion.
  package var step: Int?

  package init(load: Int? = nil, step: Int? = nil) {
    self.load = load
    self.step = step
  }
}
