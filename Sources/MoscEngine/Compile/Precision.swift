import MoscLLVM

/// The arithmetic of contractions: weights and inputs; sums are f32, or exact for integers.
package enum Precision: String, CaseIterable, Hashable, Codable, Sendable {
  case f32, bf16, int8

  /// Reads the usual spellings.
  package init?(spelling: String) {
    switch spelling.lowercased() {
    case "f32", "fp32", "float32", "float": self = .f32
    case "bf16", "bfloat16": self = .bf16
    case "int8", "i8", "q8": self = .int8
    default: return nil
    }
  }

  /// The arithmetic used when none is asked for, on a processor.
  package static func usual(on facts: TargetFacts) -> Precision {
    facts.hasBF16Dot ? .bf16 : .f32
  }
}
