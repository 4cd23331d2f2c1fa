import MoscIR
import MoscLLVM

/// The arithmetic of `QuantisedRow`.
struct QuantisedRowCode {
  private let e: FunctionEmitter

  init(_ e: FunctionEmitter) { self.e = e }

  /// What numbers of a row are multiplied by to become integers, and the row's scale, given its largest
  /// magnitude.
  func factors(_ top: LLVMValue) -> (factor: LLVMValue, scale: LLVMValue) {
    let largest = e.float(Double(QuantisedRow.largest), like: top)
    let zero = e.float(0, like: top)
    let isPositive = e.builder.compareFloats(.less, zero, top)
    let factor = e.builder.select(isPositive, e.fdiv(largest, top), zero)
    return (factor, e.fdiv(top, largest))
  }
}
