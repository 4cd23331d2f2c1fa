import MoscIR

/// A transformation of a module; one file, one flag name and one test stem per pass.
package protocol Pass: Sendable {
  /// The flag name: the file's stem in kebab case.
  static var name: String { get }
  /// The stage the pass takes and the stage it leaves.
  static var stages: (from: Stage, to: Stage) { get }
  /// Whether programs run without the pass, too: it changes speed, not results.
  static var isOptional: Bool { get }
  /// Reads the options given as `name{key=value}`.
  init(_ options: inout PassOptions) throws(Diagnostic)
  /// Transforms the module; a second run must change nothing.
  func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic)
}

extension Pass {
  package static var isOptional: Bool { false }
}

/// The options of one pass as written in `--passes=name{key=value key=value}`.
package struct PassOptions: Hashable, Sendable {
  package let pass: String
  package private(set) var remaining: [String: String]

  package init(pass: String, _ values: [String: String] = [:]) {
    self.pass = pass
    remaining = values
  }

  /// Takes an option away, or nil when it was not given.
  package mutating func take(_ key: String) -> String? { remaining.removeValue(forKey: key) }

  /// Takes a positive integer option.
  package mutating func int(_ key: String) throws(Diagnostic) -> Int? {
    guard let text = take(key) else { return nil }
    guard let number = Int(text), number >= 0 else {
      throw Diagnostic(
        "passes.option", "option '\(key)' of '\(pass)' is '\(text)', expected a number")
    }
    return number
  }

  /// Reports options that the pass did not take.
  package func finish() throws(Diagnostic) {
    guard let key = remaining.keys.sorted().first else { return }
    throw Diagnostic("passes.option", "'\(pass)' has no option '\(key)'")
  }
}

/// Something a pass wants to explain: why it did or did not do a thing.
package struct Remark: Hashable, Sendable, CustomStringConvertible {
  package var pass: String
  /// A stable id such as `fold-lora.trainable`.
  package var id: String
  package var message: String

  package var description: String { "remark: \(message) [\(id)]" }
}

/// What passes know about the compilation, and where they leave remarks and counters.
package struct PassContext: Sendable {
  /// The processor that code is generated for.
  package var target: Target
  /// The element type of contraction inputs and weights: `f32` or `bf16`.
  package var precision: DType
  /// The most bytes of values computed at load that a step should read; nil for any.
  package var loadBudget: Int?
  /// The most bytes of a step's values that should be in use at once; nil for any.
  package var stepBudget: Int?
  /// The names of passes that do not run in this compilation, for those that leave work to others.
  package var absentPasses: Set<String> = []
  package private(set) var remarks: [Remark] = []
  /// Counters by `pass.name`.
  package private(set) var counters: [String: Int] = [:]
  /// The name of the running pass.
  package internal(set) var currentPass = ""

  package init(
    target: Target = .avx512BF16, precision: DType = .f32, loadBudget: Int? = nil,
    stepBudget: Int? = nil
  ) {
    self.target = target
    self.precision = precision
    self.loadBudget = loadBudget
    self.stepBudget = stepBudget
  }

  /// Leaves a remark; the id is `pass.reason`.
  package mutating func remark(_ reason: String, _ message: String) {
    remarks.append(Remark(pass: currentPass, id: "\(currentPass).\(reason)", message: message))
  }

  /// Adds to a counter of the running pass.
  package mutating func count(_ name: String, by amount: Int = 1) {
    counters["\(currentPass).\(name)", default: 0] += amount
  }
}
