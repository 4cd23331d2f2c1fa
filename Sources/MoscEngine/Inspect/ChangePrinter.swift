import MoscIR

/// What a pass changed in a module, as text.
package struct ChangePrinter {
  /// How changes are shown.
  package enum Style: String, CaseIterable, Hashable, Codable, Sendable {
    /// The whole module.
    case module
    /// The lines that went and came, with some around them.
    case diff
  }

  /// Unchanged lines that are shown around changed ones.
  private static let context = 2

  private let style: Style
  private var before: String

  package init(_ style: Style, _ module: Module) {
    self.style = style
    before = Printer.print(module)
  }

  /// What the pass changed, or that it changed nothing.
  package mutating func text(after pass: String, _ module: Module) -> String {
    let after = Printer.print(module)
    defer { before = after }
    if after == before { return "// \(pass) changed nothing" }
    switch style {
    case .module: return "// after \(pass)\n\(after)"
    case .diff: return "// \(pass) changed\n" + Self.diff(before, after)
    }
  }

  /// Lines that only `a` has with `-`, those that only `b` has with `+`, each with neighbours.
  package static func diff(_ a: String, _ b: String) -> String {
    let old = a.split(separator: "\n", omittingEmptySubsequences: false)
    let new = b.split(separator: "\n", omittingEmptySubsequences: false)
    let difference = new.difference(from: old)
    var gone = Set<Int>(), come = Set<Int>()
    for change in difference {
      switch change {
      case .remove(let offset, _, _): gone.insert(offset)
      case .insert(let offset, _, _): come.insert(offset)
      }
    }
    var lines: [(text: String, isChange: Bool)] = []
    var (i, j) = (0, 0)
    while i < old.count || j < new.count {
      if gone.contains(i) {
        lines.append(("-\(old[i])", true))
        i += 1
      } else if come.contains(j) {
        lines.append(("+\(new[j])", true))
        j += 1
      } else {
        lines.append((" \(old[i])", false))
        (i, j) = (i + 1, j + 1)
      }
    }
    var result: [String] = []
    var last = -1
    for index in lines.indices {
      let near = max(0, index - context)...min(lines.count - 1, index + context)
      guard near.contains(where: { lines[$0].isChange }) else { continue }
      if index > last + 1 { result.append("@@ line \(index + 1)") }
      result.append(lines[index].text)
      last = index
    }
    return result.joined(separator: "\n")
  }
}
