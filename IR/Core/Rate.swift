/// The binding time of a value: when it is first known.
///
/// `load` values depend on weights and adapters only, `prompt` values also on text and regions,
/// `step` values on everything that changes at each denoising step.
package enum Rate: Int, CaseIterable, Comparable, Hashable, Sendable {
  case load, prompt, step

  /// The prefix in the text format, empty for `step`.
  package var prefix: String {
    switch self {
    case .load: "load "
    case .prompt: "prompt "
    case .step: ""
    }
  }

  /// The word that names the rate.
  package var name: String {
    switch self {
    case .load: "load"
    case .prompt: "prompt"
    case .step: "step"
    }
  }

  package static func < (a: Rate, b: Rate) -> Bool { a.rawValue < b.rawValue }
}
