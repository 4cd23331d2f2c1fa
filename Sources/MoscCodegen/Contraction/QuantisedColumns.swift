import MoscIR
import MoscLLVM

/// The head of q8 weights in a panel (see the op `pack`): the columns' scales, then their corrections.
struct QuantisedColumns {
  private let address: LLVMValue
  private let columns: Int

  /// - Parameter columns: the columns that lie side by side.
  init(_ address: LLVMValue, columns: Int) {
    self.address = address
    self.columns = columns
  }

  /// The sums that integer sums of unsigned activations stand for: `s · (t·Σ − c)` with the row's
  /// scale s, and t and c of the columns from `first` on.
  func restore(
    _ e: FunctionEmitter, _ sums: LLVMValue, first: LLVMValue, _ scale: LLVMValue
  ) -> LLVMValue {
    let scales = e.offset(address, bytes: e.mul(first, 4))
    func load(_ base: LLVMValue) -> LLVMValue {
      e.load(.f32, base, lanes: e.lanes, align: e.lanes * 4)
    }
    let corrections = load(e.offset(scales, bytes: columns * 4))
    return e.fmul(e.fma(sums, load(scales), e.fneg(corrections)), scale)
  }
}
