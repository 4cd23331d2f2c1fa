import Foundation
import TestSupport
import Testing

/// What README and docs say to type works.
@Suite struct DocumentationTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  private let scratch = Scratch()

  private func check(_ files: String...) throws -> MoscProgram.Outcome {
    try MoscProgram.run(
      Self.root.appending(path: "tools/check-docs").path, files, environment: ["MOSC": MoscProgram.url.path])
  }

  @Test func commandsOfTheDocumentationRun() throws {
    let outcome = try check()
    #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    #expect(outcome.output.contains(" 0 failed"))
  }

  /// The script itself finds what does not work, and says what it leaves out.
  @Test func commandsThatFailAreFound() throws {
    let page = try scratch.write("page.md", """
      mosc nosuch
      <!-- check-docs: not run: grid: for a reason -->
      ```
      mosc grid --row x
      mosc doctor --json   # comment
      mosc sample -p 'a fox' \\
           --nosuch
      mosc fuse …
      ```
      """)
    let outcome = try check(page.path)
    #expect(outcome.status == 1)
    #expect(outcome.output.contains("(for a reason)") && outcome.output.contains("incomplete"), "\(outcome.output)")
    #expect(outcome.output.contains("unknown option '--nosuch'"))
    #expect(outcome.output.contains("2 commands run, 1 failed, 2 not run"))
    let empty = try scratch.write("empty.md", "nothing")
    #expect(try check(empty.path).status == 1)
  }
}
