import Foundation
import Testing

/// Imports run one way: no target sees more than docs/architecture.md allows, and some folders see
/// less than their target.
@Suite struct ImportTests {
  private static let system: Set<String> = [
    "Foundation", "Glibc", "Musl", "Darwin", "Synchronization", "FoundationEssentials", "Dispatch",
  ]

  /// What features are built on.
  private static let feature: Set<String> = [
    "MoscIR", "MoscRuntime", "MoscFormats", "MoscImages", "MoscRandom", "MoscPrompts", "MoscModel",
    "MoscDiffusion", "MoscReport", "MoscEngine", "MoscNetworks", "MoscCluster",
  ]

  /// A folder, what its files may import, and a folder inside with a rule of its own.
  struct Rule: Sendable, CustomTestStringConvertible {
    var folder: String
    var allowed: Set<String>
    var except: String?

    init(_ folder: String, _ allowed: Set<String>, except: String? = nil) {
      (self.folder, self.allowed, self.except) = (folder, allowed, except)
    }

    var testDescription: String { folder }
  }

  static let rules: [Rule] = [
    // The compiler itself needs nothing of the system but the C library.
    Rule("IR", []), Rule("passes", ["MoscIR"]),
    Rule("Sources/MoscLLVM", ["CLLVM"]),
    Rule("Sources/MoscCodegen", ["MoscIR", "MoscLLVM", "Crypto"]),
    Rule("Sources/MoscFuzz", ["MoscIR"]),
    Rule("Sources/MoscRuntime", ["CRelax"]),
    Rule("Sources/MoscFormats", ["CMapping", "CZlib", "Crypto"]),
    Rule("Sources/MoscImages", ["MoscFormats", "CPNG", "CJPEG", "CWebP"]),
    Rule("Sources/MoscRandom", []),
    Rule("Sources/MoscPrompts", ["MoscFormats", "MoscRandom"]),
    Rule("Sources/MoscReport", ["MoscFormats"]),
    Rule("Sources/MoscCluster", ["CMPI", "CZlib", "MoscFormats", "MoscReport", "MoscRuntime"]),
    Rule(
      "Sources/MoscEngine",
      [
        "MoscIR", "MoscPasses", "MoscLLVM", "MoscCodegen", "MoscRuntime", "MoscFormats",
        "MoscReport", "Crypto",
      ]),
    Rule("Sources/MoscModel", ["MoscIR", "MoscFormats"]),
    Rule("Sources/MoscDiffusion", ["MoscFormats"]),
    Rule(
      "Sources/MoscNetworks", feature.subtracting(["MoscImages", "MoscRandom", "MoscRuntime", "MoscCluster"])),
    Rule("Sources/MoscSample", feature),
    Rule("Sources/MoscTrain", feature.union(["MoscSample"]), except: "Data"),
    // What data is read must not depend on how it is trained on.
    Rule("Sources/MoscTrain/Data", ["MoscFormats", "MoscImages", "MoscRandom", "Yams"]),
    Rule("Sources/MoscFuse", feature.union(["MoscSample", "MoscTrain"]), except: "Solvers"),
    // Mathematics: matrices in, matrices out.
    Rule("Sources/MoscFuse/Solvers", ["COpenBLAS"]),
    Rule("Sources/MoscEvaluate", feature.union(["MoscSample"])),
    Rule("Sources/MoscInspect", feature.union(["MoscCodegen", "MoscTrain"])),
    Rule("Sources/MoscCommandLines", ["MoscFormats", "MoscReport", "MoscTrain"]),
    Rule(
      "Sources/MoscDriver",
      feature.union([
        "MoscPasses", "MoscLLVM", "MoscCodegen", "MoscFuzz", "MoscInspect", "MoscSample", "MoscTrain", "MoscFuse",
        "COpenBLAS",
      ])),
    Rule(
      "Sources/MoscServer",
      feature.union([
        "MoscSample", "MoscTrain", "MoscFuse", "Hummingbird", "HummingbirdCore", "HTTPTypes", "Logging", "NIOCore",
      ])),
    Rule(
      "tools/mosc",
      [
        "MoscDriver", "MoscInspect", "MoscCommandLines", "MoscServer", "MoscSample", "MoscTrain", "MoscFuse", "MoscEvaluate", "MoscNetworks", "MoscModel",
        "MoscDiffusion", "MoscPrompts", "MoscEngine", "MoscReport", "MoscCluster", "MoscRandom", "MoscImages", "MoscFormats",
        "ArgumentParser",
      ]),
  ]

  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  @Test(arguments: rules)
  func importsAreAllowed(_ rule: Rule) throws {
    let folder = Self.root.appending(path: rule.folder)
    let files = try #require(FileManager.default.enumerator(atPath: folder.path))
    let isCompiler = ["IR", "passes"].contains(rule.folder)
    let allowed = rule.allowed.union(isCompiler ? ["Glibc", "Musl", "Darwin"] : Self.system)
    var count = 0
    for case let file as String in files where file.hasSuffix(".swift") {
      if let except = rule.except, file.hasPrefix("\(except)/") { continue }
      count += 1
      let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
      for module in Self.imports(of: text) {
        #expect(allowed.contains(module), "\(rule.folder)/\(file) imports \(module)")
      }
    }
    #expect(count > 0)
  }

  /// A target without a rule could import anything.
  @Test func everyTargetHasARule() throws {
    let sources = try FileManager.default.contentsOfDirectory(
      atPath: Self.root.appending(path: "Sources").path)
    let folders = sources.filter { $0.hasPrefix("Mosc") }.map { "Sources/\($0)" }
    #expect(Set(folders).isSubset(of: Set(Self.rules.map(\.folder))))
  }

  @Test func importsAreFound() {
    let text = """
      @testable import A
      import struct B.C
      internal import D
      /// import E
      let x = "import F"
      """
    #expect(Self.imports(of: text) == ["A", "B", "D"])
  }

  /// The modules that a source text imports.
  private static func imports(of text: String) -> [String] {
    text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard let position = words.firstIndex(of: "import"), position <= 1,
        words.count > position + 1,
        words.prefix(position).allSatisfy({
          $0.hasPrefix("@") || ["internal", "private", "package", "public"].contains($0)
        })
      else { return nil }
      let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let"]
      let name = kinds.contains(words[position + 1]) ? words[position + 2] : words[position + 1]
      return String(name.prefix { $0 != "." })
    }
  }
}
