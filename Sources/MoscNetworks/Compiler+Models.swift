import MoscEngine
import MoscModel

extension Compiler {
  /// A compiler for a function of a model: in `int8` only the U-Net is rounded to 8 bits, as text
  /// encoders have channels far larger than others, and the decoder draws each error.
  package func suited(to function: ModelFunction) -> Compiler {
    if case .unet = function { return self }
    return unquantised
  }
}
