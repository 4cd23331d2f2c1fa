import Foundation
import MoscEngine
import MoscIR
import TestSupport
import Testing

/// The compiler's switches: what they do, and that help, documentation and options know the same.
@Suite struct SwitchTests {
  private let scratch = Scratch()

  /// Which switches set a property of the options; none for those that jobs set themselves.
  private static let switches: [String: [String]] = [
    "threads": ["--threads"], "cpu": ["--mcpu"], "attributes": ["--mattr"], "level": ["-O"],
    "hasDebugInfo": ["--debug-info"],
    "recordFolder": ["--record"], "reproducer": ["--reproducer"], "cacheFolder": ["--cache-dir"], "usesCache": ["--no-cache"],
    "printBefore": ["--print-before"], "printsBeforeAll": ["--print-before-all"],
    "printAfter": ["--print-after"], "printsAfterAll": ["--print-after-all"],
    "printsChanges": ["--print-changed"], "printsPipeline": ["--print-pipeline"],
    "bisectLimit": ["--opt-bisect-limit"], "remarks": ["--remarks"],
    "printsStatistics": ["--pass-statistics"], "dumpFolder": ["--dump-dir"],
    "timesPasses": ["--time-passes"], "disabledPasses": ["--disable-pass"],
    "verifiesEach": ["--verify-each"], "memoryLimit": [],
  ]

  @Test func helpDocumentationAndOptionsAgree() throws {
    let options = [
      Mirror(reflecting: CompilationOptions()), Mirror(reflecting: Observation()),
    ].flatMap { $0.children.compactMap(\.label) }
    #expect(Set(options) == Set(Self.switches.keys).union(["shows"]))
    let known = Set(Self.switches.values.joined())

    let help = try MoscProgram.run("compile", "--help-hidden").output
    let section = help.components(separatedBy: "COMPILER:\n").last?
      .components(separatedBy: "\n\n").first ?? ""
    #expect(names(section.split(separator: "\n").filter { $0.hasPrefix("  -") }) == known)

    let guide = try String(
      contentsOf: URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/debugging.md"), encoding: .utf8)
    let table = guide.components(separatedBy: "## Switches of the compiler\n").last?
      .components(separatedBy: "\n\n").dropFirst().first ?? ""
    let rows = table.split(separator: "\n").compactMap { $0.split(separator: "|").first }
    #expect(names(rows) == known)

    let short = try MoscProgram.run("compile", "--help").output
    #expect(short.contains("--mcpu") && !short.contains("--verify-each"))
  }

  /// The longest spelling of each switch in some lines.
  private func names(_ lines: [Substring]) -> Set<String> {
    Set(lines.flatMap { line in
      line.matches(of: /(?:^|[ `])(--[a-z][a-z-]+|-O)/).map { String($0.1) }
    })
  }

  private let graph = """
    mosc 1
    stage tensor

    func @f(%x: f32[2,8]) -> (y: f32[2,8]) {
      %s = silu(%x) : f32[2,8]
      %y = neg(%s) : f32[2,8]
      return %y
    }

    """

  private func compile(_ text: String, _ arguments: String...) throws -> MoscProgram.Outcome {
    try text.write(toFile: scratch.path("in.mos"), atomically: true, encoding: .utf8)
    return try MoscProgram.run(["compile", scratch.path("in.mos")] + arguments)
  }

  @Test func everyStageIsReadBack() throws {
    let kernels = try compile(graph, "--compile-to=kernels")
    #expect(kernels.status == 0 && kernels.output.contains("stage kernel"), "\(kernels.errors)")
    let buffers = try compile(kernels.output, "--compile-from=kernels", "--emit=buffers")
    #expect(buffers.status == 0, "\(buffers.errors)")
    let plain = try compile(graph, "--emit=buffers")
    #expect(buffers.output == plain.output)
    let code = try compile(buffers.output, "--compile-from=buffers", "--emit=llvm")
    let direct = try compile(graph, "--emit=llvm")
    #expect(code.status == 0 && code.output == direct.output)
    let wrong = try compile(graph, "--compile-from=kernels")
    #expect(wrong.status == 2 && wrong.errors.contains("is in stage tensor"))
    let late = try compile(kernels.output, "--emit=graph")
    #expect(late.status == 2 && late.errors.contains("past that"))
    #expect(try compile(graph, "--compile-from=asm").status == 2)
  }

  @Test func levels() throws {
    func kernels(_ level: String) throws -> Int {
      let text = try compile(graph, level, "--emit=kernels").output
      return text.components(separatedBy: "\nkernel @").count - 1
    }
    #expect(try kernels("-O0") == 2)
    #expect(try kernels("-O1") == 1)
    let plain = try compile(graph, "-O0", "--emit=llvm-opt").output
    let raw = try compile(graph, "-O0", "--emit=llvm").output
    #expect(plain == raw)
    #expect(try compile(graph, "-O3", "--emit=llvm-opt").status == 0)
    #expect(try compile(graph, "-O4").status == 2)
  }

  @Test func attributes() throws {
    func code(_ arguments: String...) throws -> String {
      try compile(graph, "--emit=asm", arguments[0], arguments.last ?? "").output
    }
    #expect(!(try code("--mattr=-avx512f", "-O2")).contains("zmm"))
    let narrow = try code("--mattr=-avx2", "-O2")
    #expect(!narrow.contains("ymm") && narrow.contains("xmm"))
    let unknown = try compile(graph, "--emit=asm", "--mattr=+warp")
    #expect(unknown.status == 2 && unknown.errors.contains("unknown feature '+warp'"))
  }

  @Test func failuresLeaveAReproducer() throws {
    // Moments of columns, which code generation only has for rows.
    let broken = """
      mosc 1
      stage kernel

      kernel @k(%x: f32[8,4]) -> (f32[8,9]) {
        %t = transpose(%x, axes: [1, 0]) : f32[4,8]
        %y = gram(%t) : f32[8,9]
        return %y
      }

      """
    let path = scratch.path("bad.mos")
    let outcome = try compile(broken, "--emit=llvm", "--reproducer=\(path)")
    #expect(outcome.status == 1, "\(outcome.errors)")
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.contains("// mosc compile \(path) --emit=llvm fails:"))
    #expect(Printer.print(try Parser.parse(text)) == broken)
    let again = try MoscProgram.run("compile", path, "--emit=llvm")
    #expect(again.status == 1 && again.errors == outcome.errors)
    let fine = scratch.path("fine.mos")
    #expect(try compile(graph, "--emit=llvm", "--reproducer=\(fine)").status == 0)
    #expect(!FileManager.default.fileExists(atPath: fine))
  }
}
