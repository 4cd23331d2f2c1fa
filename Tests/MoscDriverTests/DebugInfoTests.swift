import Foundation
import MoscEngine
import MoscFormats
import MoscReport
import TestSupport
import Testing

/// What gdb and perf see of compiled code with `-g`.
@Suite struct DebugInfoTests {
  private let scratch = Scratch()

  private static let gdb = "/usr/bin/gdb"

  /// Runs gdb with a script, and with all signals let through: threads of tests block some.
  private static func debug(_ commands: [String], _ program: [String]) throws -> String {
    try MoscProgram.run(
      "/usr/bin/env",
      ["--default-signal", gdb, "-q", "-batch"] + commands.flatMap { ["-ex", $0] } + ["--args"]
        + program
    ).output
  }

  /// Whether gdb is there and may run programs: containers can forbid it.
  private static let canDebug: Bool = {
    guard FileManager.default.isExecutableFile(atPath: gdb) else { return false }
    return (try? debug(["run"], ["/bin/true"]))?.contains("exited normally") == true
  }()

  private static let text = """
    mosc 1
    stage tensor

    func @f(%x: f32[64,320], %w: f32[320,320], %b: f32[320]) -> (y: f32[64,320]) {
      %u = linear(%x, weight: %w, bias: %b) : f32[64,320]
      %y = gelu(%u) : f32[64,320]
      return %y
    }

    """

  /// The arguments that run the program.
  private func arguments() throws -> [String] {
    let (program, input) = (scratch.path("f.mos"), scratch.path("in.safetensors"))
    try Self.text.write(toFile: program, atomically: true, encoding: .utf8)
    func ones(_ shape: [Int]) -> HostArray {
      HostArray([Float](repeating: 1, count: shape.reduce(1, *)), shape: shape)
    }
    try TensorFile.write(
      [("x", ones([64, 320])), ("w", ones([320, 320])), ("b", ones([320]))], to: OutputFile(input))
    return [
      "run", program, "--in", input, "--out", scratch.path("out.safetensors"), "-g",
      "--cache-dir", scratch.path("cache"), "-t", "1",
    ]
  }

  @Test(.enabled(if: canDebug, "there is no gdb that can run programs, which tools/test installs"))
  func aBacktraceShowsKernelAndLine() throws {
    let output = try Self.debug(
      [
        "set breakpoint pending on", "break k1.linear", "run", "break 6", "continue", "backtrace 2",
      ], [MoscProgram.url.path] + arguments())
    let frames = output.split(separator: "\n").filter { $0.hasPrefix("#") }
    #expect(frames.first?.wholeMatch(of: /#0 +k1\.linear \(\) at k1\.linear\.\w{8}\.mos:6/) != nil)
    #expect(frames.last?.contains("in k1.linear.kernel ()") == true, "\(output)")
    // gdb prints the line itself.
    #expect(output.contains("6\t  %1 = gelu(%0) : f32[64,320]"))
  }

  @Test func perfFindsNames() throws {
    let outcome = try MoscProgram.run(arguments())
    #expect(outcome.status == 0, "\(outcome.errors)")
    let map = "/tmp/perf-\(outcome.process).map"
    defer { try? FileManager.default.removeItem(atPath: map) }
    let lines = try String(contentsOfFile: map, encoding: .utf8).split(separator: "\n")
    #expect(lines.allSatisfy { $0.wholeMatch(of: /[0-9a-f]+ [0-9a-f]+ k\d+\.[\w.]+/) != nil })
    #expect(lines.contains { $0.hasSuffix(" k1.linear") })
  }

  @Test func codeIsTheSameWithout() throws {
    let program = scratch.path("f.mos")
    try Self.text.write(toFile: program, atomically: true, encoding: .utf8)
    func instructions(_ flags: String...) throws -> [String] {
      let text = try MoscProgram.run(
        ["compile", program, "--emit=asm", "--cache-dir", scratch.path("cache")] + flags).output
      return text.split(separator: "\n").filter { $0.hasPrefix("\tv") }.map(String.init)
    }
    let (plain, debug) = (try instructions(), try instructions("-g"))
    #expect(!plain.isEmpty && plain == debug)
  }
}
