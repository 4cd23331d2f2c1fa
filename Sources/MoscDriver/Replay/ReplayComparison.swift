import MoscEngine

/// How the kernels of a program differ between two builds.
struct ReplayComparison {
  /// The number of kernels that are the same in both, whatever they are called.
  private(set) var same = 0
  /// Kernels of one name that differ, in text and code or in code only.
  private(set) var changed: [(before: RecordedKernel, after: RecordedKernel)] = []
  private(set) var gone: [RecordedKernel] = []
  private(set) var new: [RecordedKernel] = []
  /// Whether the functions that call the kernels are the same.
  private(set) var haveSameFunctions: Bool
  private let functions: (before: String, after: String)
  private let name: String

  init(_ before: RecordedProgram, _ after: RecordedProgram) {
    name = before.name
    functions = (before.functions, after.functions)
    var rest = Dictionary(grouping: after.kernels, by: \.content)
    var old: [RecordedKernel] = []
    for kernel in before.kernels {
      if rest[kernel.content]?.isEmpty == false {
        rest[kernel.content]?.removeFirst()
        same += 1
      } else {
        old.append(kernel)
      }
    }
    // Where only names shift, the functions differ in nothing else.
    haveSameFunctions = before.functions == after.functions
    let left = Set(rest.values.joined().map(\.name))
    var remaining = after.kernels.filter { left.contains($0.name) }
    for kernel in old {
      if let index = remaining.firstIndex(where: { $0.name == kernel.name }) {
        changed.append((kernel, remaining.remove(at: index)))
      } else {
        gone.append(kernel)
      }
    }
    new = remaining
  }

  /// Whether the builds do the same.
  var isSame: Bool { changed.isEmpty && gone.isEmpty && new.isEmpty && haveSameFunctions }

  /// One line with the numbers.
  var summary: String {
    var parts = ["\(same) kernels the same"]
    for (count, what) in [(changed.count, "changed"), (gone.count, "gone"), (new.count, "new")]
    where count > 0 {
      parts.append("\(count) \(what)")
    }
    if !haveSameFunctions { parts.append("other calls") }
    return "\(name): " + parts.joined(separator: ", ")
  }

  /// The lines that differ, of at most `limit` kernels.
  func differences(limit: Int) -> String {
    var parts: [String] = []
    for (before, after) in changed {
      // Equal text with other code: the lowering changed, not the passes.
      let isText = before.text != after.text
      let (old, new) = isText ? (before.text, after.text) : (before.code, after.code)
      parts.append(
        "--- @\(before.name) (\(isText ? "kernel" : "LLVM IR"))\n" + ChangePrinter.diff(old, new))
    }
    parts += gone.map { "--- @\($0.name) is gone\n" + Self.marked($0.text, "-") }
    parts += new.map { "--- @\($0.name) is new\n" + Self.marked($0.text, "+") }
    if !haveSameFunctions {
      parts.append("--- the calls\n" + ChangePrinter.diff(functions.before, functions.after))
    }
    let left = parts.count - limit
    return parts.prefix(limit).joined(separator: "\n")
      + (left > 0 ? "\n… and \(left) more; --limit shows them" : "")
  }

  private static func marked(_ text: String, _ mark: String) -> String {
    text.split(separator: "\n").map { mark + $0 }.joined(separator: "\n")
  }
}
