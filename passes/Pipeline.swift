import MoscIR

/// The order of the passes: the only place that knows it.
package enum Pipeline {
  /// The steps of inference and, for programs that request gradients, of training, each with the
  /// reason why it stands where it does.
  package static let inference: [(pass: any Pass.Type, reason: String)] = [
    (Differentiate.self, "first, on the program as it is written; most hold no request"),
    (Canonicalise.self, "so that later passes meet one spelling of everything"),
    (InferRates.self, "folding and splitting ask when a value is known"),
    (FoldLoRA.self, "before kernels are chosen: a folded adapter costs no contraction per step"),
    (SplitUpsample.self, "after folding, so that folded weights are split once"),
    (SplitGates.self, "likewise; and before kernels are chosen, since the halves are layers"),
    (Winograd.self, "after the split, which leaves it fewer 3×3 filters; before padding is explicit"),
    (ChooseKernels.self, "on whole layers, before fusion hides them inside kernels"),
    (PackWeights.self, "needs the tiles; before the split, so that packing runs once at load"),
    (Rematerialise.self, "sees packed weights; before the split fixes what is kept"),
    (SplitRates.self, "before fusion: no kernel may mix work of two rates"),
    (Fuse.self, "sees the final ops of each function"),
    (Bufferise.self, "every value that is left needs memory"),
    (PlanMemory.self, "last: buffers are known, and so is when each is in use"),
  ]

  /// The passes of inference, up to and including one of them if named.
  package static func inference(
    through last: String? = nil
  ) throws(Diagnostic) -> [any Pass] {
    var result: [any Pass] = []
    for (pass, _) in inference {
      result.append(try make(pass, PassOptions(pass: pass.name)))
      if pass.name == last { return result }
    }
    if let last { throw unknown(last) }
    return result
  }

  /// The passes of a list such as `canonicalise,fuse{max-ops=12}`; `inference` stands for all.
  package static func parse(_ text: String) throws(Diagnostic) -> [any Pass] {
    var result: [any Pass] = []
    for item in try split(text) {
      if item == "inference" {
        result += try inference()
        continue
      }
      let name = String(item.prefix { $0 != "{" })
      guard let pass = Registry.named(name) else { throw unknown(name) }
      result.append(try make(pass, try options(item, name)))
    }
    return result
  }

  private static func make(
    _ pass: any Pass.Type, _ options: PassOptions
  ) throws(Diagnostic) -> any Pass {
    var options = options
    let made = try pass.init(&options)
    try options.finish()
    return made
  }

  private static func unknown(_ name: String) -> Diagnostic {
    let known = Registry.all.map { $0.name }.joined(separator: ", ")
    return Diagnostic("passes.unknown", "there is no pass '\(name)', expected one of \(known)")
  }

  /// Cuts at commas outside of braces.
  private static func split(_ text: String) throws(Diagnostic) -> [String] {
    var items: [String] = []
    var item = ""
    var depth = 0
    for character in text where character != " " || depth > 0 {
      if character == "{" { depth += 1 }
      if character == "}" { depth -= 1 }
      if character == ",", depth == 0 {
        items.append(item)
        item = ""
      } else {
        item.append(character)
      }
    }
    if depth != 0 { throw Diagnostic("passes.braces", "unbalanced braces in '\(text)'") }
    items.append(item)
    return items.filter { !$0.isEmpty }
  }

  private static func options(_ item: String, _ name: String) throws(Diagnostic) -> PassOptions {
    let body = item.dropFirst(name.count)
    if body.isEmpty { return PassOptions(pass: name) }
    guard body.first == "{", body.last == "}" else {
      throw Diagnostic("passes.braces", "expected '{key=value}' after '\(name)', found '\(body)'")
    }
    var values: [String: String] = [:]
    for pair in body.dropFirst().dropLast().split(whereSeparator: { $0 == " " || $0 == "," }) {
      let parts = pair.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else {
        throw Diagnostic("passes.option", "expected 'key=value' for '\(name)', found '\(pair)'")
      }
      values[String(parts[0])] = String(parts[1])
    }
    return PassOptions(pass: name, values)
  }
}
