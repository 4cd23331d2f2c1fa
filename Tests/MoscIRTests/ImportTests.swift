import Foundation
import Testing

/// Imports run one way: no target sees more than docs/architecture.md allows.
@Suite struct ImportTests {
  private static let system: Set<String> = [
    "Foundation", "Glibc", "Musl", "Darwin", "Synchronization", "FoundationEssentials", "Dispatch",
  ]

  static let rules: [(folder: String, allowed: Set<String>)] = [
    ("IR", ["Glibc", "Musl", "Darwin"]),
    ("passes", ["MoscIR"]),
    ("Sources/MoscLLVM", ["CLLVM"]),
    ("Sources/MoscCodegen", ["MoscIR", "MoscLLVM", "Crypto"]),
    ("Sources/MoscRuntime", ["MoscIR", "CRelax"]),
    ("Sources/MoscFormats", ["CPNG", "CJPEG", "Crypto"]),
    ("Sources/MoscModel", ["MoscIR", "MoscFormats"]),
    ("Sources/MoscSample", ["MoscFormats"]),
    ("Sources/MoscFuse", ["MoscFormats", "COpenBLAS"]),
    ("tools/mosc", ["MoscDriver", "ArgumentParser"]),
  ]

  @Test(arguments: rules)
  func importsAreAllowed(_ rule: (folder: String, allowed: Set<String>)) throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let folder = root.appending(path: rule.folder)
    let files = try #require(FileManager.default.enumerator(atPath: folder.path))
    // The compiler itself (IR and passes) needs nothing of the system but the C library.
    let isCompiler = ["IR", "passes"].contains(rule.folder)
    let allowed = isCompiler ? rule.allowed : rule.allowed.union(Self.system)
    var count = 0
    for case let file as String in files where file.hasSuffix(".swift") {
      count += 1
      let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
      for line in text.split(separator: "\n") {
        let words = line.split(separator: " ")
        guard let position = words.firstIndex(of: "import"), position <= 1, words.count > position + 1,
          words.prefix(position).allSatisfy({ $0.hasPrefix("@") || $0 == "internal" || $0 == "private" })
        else { continue }
        let name = words[position + 1] == "struct" ? words[position + 2] : words[position + 1]
        let module = String(name.prefix { $0 != "." })
        #expect(allowed.contains(module), "\(rule.folder)/\(file) imports \(module)")
      }
    }
    #expect(count > 0)
  }
}
