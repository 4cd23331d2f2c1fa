import Foundation
import MoscIR
import TestSupport
import Testing

/// The files under `Tests/Files`, a folder for each kind of test; `docs/debugging.md` describes them.
/// Those of passes run in `PassFileTests`.
@Suite struct FileTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Files")

  static let files: [String] = FileTest.kinds.keys.sorted().flatMap { kind in
    ((try? FileManager.default.contentsOfDirectory(
      atPath: folder.appending(path: kind).path)) ?? []).sorted().map { "\(kind)/\($0)" }
  }

  @Test(arguments: files) func file(_ path: String) throws {
    let url = Self.folder.appending(path: path)
    let text = try String(contentsOf: url, encoding: .utf8)
    let blessing = try TestFile.isBlessing(ProcessInfo.processInfo.environment)
    let checked = try FileTest(path, text).check(blessing: blessing)
    if checked != text { try Data(checked.utf8).write(to: url) }
  }

  /// Rules of the verifier that no text can break, with what the parser says instead.
  private static let parsed = [
    "verify.graph-name": "parse.duplicate", "verify.order": "parse.undefined",
    "verify.arity": "op.arity", "verify.types": "type.mismatch",
  ]

  /// The rules are those of the comment that specifies them.
  @Test func everyRuleOfTheVerifierIsBroken() throws {
    let verifier = Self.folder.deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "IR/Verify/Verifier.swift")
    let comment = try String(contentsOf: verifier, encoding: .utf8)
      .components(separatedBy: "package struct Verifier")[0]
    let rules = Set(comment.matches(of: /`(verify\.[a-z.-]+)`/).map { String($0.1) })
    #expect(rules.count > 10)
    let found = try Self.files.filter { $0.hasPrefix("verify/") }.flatMap { path in
      let text = try String(contentsOf: Self.folder.appending(path: path), encoding: .utf8)
      return try FileTest(path, text).errors().map(\.id)
    }
    for rule in rules { #expect(found.contains(Self.parsed[rule] ?? rule), "\(rule)") }
  }

  @Test func everyKindHasFiles() throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
    #expect(Set(folders) == Set(FileTest.kinds.keys).union(["passes"]))
    for kind in FileTest.kinds.keys {
      #expect(Self.files.contains { $0.hasPrefix(kind + "/") }, "no file in '\(kind)'")
    }
  }
}
