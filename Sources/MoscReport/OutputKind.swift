/// What an output file may be, as the end of its name says.
package struct OutputKind: Hashable, Sendable {
  /// What it is, such as "a picture".
  package var noun: String
  /// The endings of names that can be written, the usual one first.
  package var endings: [String]

  package init(_ noun: String, _ endings: [String]) {
    self.noun = noun
    self.endings = endings
  }

  /// The files of concepts that are taught.
  package static let concept = OutputKind("a concept", ["safetensors", "pth", "pt"])
  /// The files of concepts that are fused.
  package static let fusedConcept = OutputKind("a fused concept", ["safetensors"])

  /// Fails for a name whose ending promises something else; one without an ending is as good as any.
  ///
  /// - Throws: a usage error naming the file and the endings that there are.
  package func check(_ path: String) throws {
    // Not by `URL`, which asks for the working folder: there may be half a million names.
    let name = path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]
    let dot = name.lastIndex(of: ".").flatMap { $0 == name.startIndex ? nil : $0 }
    let ending = dot.map { name[name.index(after: $0)...].lowercased() } ?? ""
    guard !ending.contains(" "), path != "-", !ending.isEmpty, !endings.contains(ending) else { return }
    let known = endings.map { ".\($0)" }
    let list = known.count < 2 ? known.joined()
      : known.dropLast().joined(separator: ", ") + " or \(known[known.count - 1])"
    throw CommandError.usage("cannot write '\(path)': \(noun) is written as \(list)")
  }
}
