import Foundation
import MoscEngine
import MoscFormats
import TestSupport
import Testing

/// The switches that show and steer passes, on the command line.
@Suite struct PassSwitchTests {
  private let scratch = Scratch()

  /// `opt` on a function of two dead and two living ops.
  private func opt(_ switches: String...) throws -> MoscProgram.Outcome {
    let path = scratch.path("f.mos")
    try """
      mosc 1
      stage tensor

      func @f(%x: f32[2,3]) -> (f32[2,3]) {
        %dead = exp(%x) : f32[2,3]
        %one = constant([1.0]) : f32[2,3]
        %y = mul(%x, %one) : f32[2,3]
        %z = neg(%y) : f32[2,3]
        return %z
      }

      """.write(toFile: path, atomically: true, encoding: .utf8)
    return try MoscProgram.run(
      ["opt", path, "--passes=canonicalise,infer-rates", "-o", scratch.path("out.mos")] + switches)
  }

  @Test func printsBefore() throws {
    let outcome = try opt("--print-before=infer-rates")
    #expect(outcome.errors.hasPrefix("// before infer-rates\n"))
    #expect(outcome.errors.contains("neg(%x)") && !outcome.errors.contains("%dead"))
    let all = try opt("--print-before-all").errors
    #expect(all.contains("// before canonicalise\n") && all.contains("%dead"))
    #expect(all.contains("// before infer-rates\n"))
    #expect(try opt("--print-before=gild").status == 2)
  }

  @Test func printsChanges() throws {
    let diff = try opt("--print-changed=diff").errors
    let removed = diff.split(separator: "\n").filter { $0.hasPrefix("-") }
    let added = diff.split(separator: "\n").filter { $0.hasPrefix("+") }
    #expect(removed.count == 4 && removed[0] == "-  %dead = exp(%x) : f32[2,3]")
    #expect(added.first == "+  %z = neg(%x) : f32[2,3]")
    #expect(diff.hasPrefix("// canonicalise changed\n@@ line"))
    let module = try opt("--print-changed=module").errors
    #expect(module.hasPrefix("// after canonicalise\nmosc 1\n"))
    #expect(try opt("--print-changed=picture").status == 2)
  }

  @Test func dumpsModulesWithAPage() throws {
    let folder = scratch.path("dump")
    #expect(try opt("--dump-dir=\(folder)").status == 0)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    #expect(
      names == [
        "000_opt_input.mos", "001_opt_canonicalise.mos", "002_opt_infer-rates.mos", "index.html",
      ])
    let page = try String(contentsOfFile: "\(folder)/index.html", encoding: .utf8)
    #expect(names.dropLast().allSatisfy { page.contains("href=\"\($0)\"") })
    #expect(page.contains("<span class=gone>-  %dead = exp(%x) : f32[2,3]</span>"))
    #expect(page.contains("<td class=n>1<td class=n>0<td class=n>4<td></tr>"))
    #expect(!page.contains("src=") && !page.contains("<link"))
    // Another run replaces the page, and files of others stay.
    try "mine".write(toFile: "\(folder)/note.txt", atomically: true, encoding: .utf8)
    #expect(try opt("--dump-dir=\(folder)").errors.isEmpty)
    try "mine".write(toFile: "\(folder)/index.html", atomically: true, encoding: .utf8)
    let kept = try opt("--dump-dir=\(folder)")
    #expect(kept.status == 0 && kept.errors.contains("index.html is not from here and stays"))
    for name in ["note.txt", "index.html"] {
      #expect(try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) == "mine")
    }
  }

  @Test func remarksOnSlowCode() throws {
    let path = scratch.path("k.mos")
    try """
      mosc 1
      stage kernel

      kernel @k(%x: f32[64,48], %y: f32[64,3]) -> (f32[48,64], f32[64,3]) {
        %t = transpose(%x, axes: [1, 0]) : f32[48,64]
        %r = reverse(%y, axes: [0]) : f32[64,3]
        return %t, %r
      }

      """.write(toFile: path, atomically: true, encoding: .utf8)
    func remarks(_ pattern: String) throws -> String {
      try MoscProgram.run(
        "compile", path, "--emit=llvm", "-o", scratch.path("k.ll"), "--remarks=\(pattern)").errors
    }
    let gather = try remarks("vectorise.gather")
    #expect(gather.contains("remark: @k: '%x' (f32[64,48]) is gathered"))
    #expect(!gather.contains("vectorise.narrow"))
    #expect(try remarks("narrow").contains("'%r' (f32[64,3]) is computed 3 at a time"))
    #expect(try remarks("fuse").isEmpty)
  }

  @Test func bisects() throws {
    let none = try opt("--opt-bisect-limit=0", "--print-pipeline")
    #expect(none.errors == "bisect: not running pass 1, canonicalise, on opt\nopt: infer-rates\n")
    let text = try String(contentsOfFile: scratch.path("out.mos"), encoding: .utf8)
    #expect(text.contains("%dead"))
    let all = try opt("--opt-bisect-limit=1", "--print-pipeline")
    #expect(
      all.errors == "bisect: running pass 1, canonicalise, on opt\nopt: canonicalise,infer-rates\n")
    #expect(try opt("--opt-bisect-limit=-1").status == 2)
  }

  @Test func countsAndRemarks() throws {
    #expect(try opt("--pass-statistics").errors.contains("canonicalise.dead = "))
    #expect(try opt().errors.isEmpty)
    let outcome = try MoscProgram.run([
      "compile", "unet", "--latent=8x8", "--emit=buffers", "-o", scratch.path("u.mos"), "--no-cache",
      "--remarks=^fuse\\.",
    ])
    let lines = outcome.errors.split(separator: "\n")
    #expect(outcome.status == 0 && !lines.isEmpty)
    #expect(lines.allSatisfy { $0.hasPrefix("remark: ") && $0.contains("[fuse.") })
    #expect(try opt("--remarks=(").status == 2)
  }

  @Test func tracesTime() throws {
    let path = scratch.path("trace.json")
    #expect(try opt("--time-trace=\(path)").status == 0)
    let trace = try JSONObject(contentsOf: URL(fileURLWithPath: path))
    let events = try #require(trace.members.first { $0.key == "traceEvents" }?.value.array)
    let spans = events.filter { $0["ph"]?.string == "X" }
    #expect(spans.compactMap { $0["name"]?.string } == ["canonicalise of opt", "infer-rates of opt"])
    #expect(spans.allSatisfy { ($0["dur"]?.double ?? -1) >= 0 && $0["tid"]?.int == 0 })
    #expect(events.first?["args"]?["name"]?.string == "passes")
    #expect(try opt("--time-trace=\(scratch.path("no/such/folder/t.json"))").status == 2)
  }

  @Test func printsAfter() throws {
    let outcome = try opt("--print-after=canonicalise")
    #expect(outcome.errors.hasPrefix("// after canonicalise\nmosc 1\n"))
    #expect(outcome.errors.components(separatedBy: "// after").count == 2)
    let all = try opt("--print-after-all").errors
    #expect(all.contains("// after canonicalise\n") && all.contains("// after infer-rates\n"))
    #expect(try opt("--print-after=gild").status == 2)
  }

  @Test func timesAndVerifies() throws {
    func times(_ switches: String...) throws -> [Substring] {
      try MoscProgram.run(
        ["compile", "unet", "--latent=8x8", "--emit=plan", "-o", scratch.path("p"), "--time-passes"]
          + switches
      ).errors.split(separator: "\n").filter { $0.contains(" ms  ") }
    }
    let plain = try times()
    #expect(plain.count > 5 && !plain.contains { $0.contains("verified") })
    let verified = try times("--verify-each")
    #expect(verified.count == plain.count)
    #expect(verified.allSatisfy { $0.contains("(verified in ") })
  }

  @Test func listsPasses() throws {
    let list = try MoscProgram.run("opt", "--list-passes")
    #expect(list.status == 0 && list.output.contains("  fuse (tensor → kernel)\n"))
    #expect(list.output.contains("inference pipeline:\n"))
  }

  @Test func leavesPassesOut() throws {
    func pipeline(_ switches: String...) throws -> String {
      try MoscProgram.run(
        ["compile", "text_encoder", "--emit=plan", "-o", scratch.path("p"), "--print-pipeline"]
          + switches
      ).errors
    }
    #expect(try pipeline().contains(",fold-lora,"))
    #expect(try !pipeline("--disable-pass=fold-lora").contains("fold-lora"))
    #expect(try pipeline("--disable-pass=fuse").contains("expected one of canonicalise"))
  }

  @Test func filtersKernels() throws {
    func kernels(_ filter: String) throws -> MoscProgram.Outcome {
      try MoscProgram.run(
        "compile", "text_encoder", "--emit=llvm", "--filter-kernel=\(filter)")
    }
    let found = try kernels("softmax")
    let names = found.output.split(separator: "\n").filter { $0.hasPrefix("; kernel @") }
    let attention = try kernels("attention").output.split(separator: "\n")
      .filter { $0.hasPrefix("; kernel @") }
    #expect(names.allSatisfy { $0.contains("softmax") })
    #expect(!attention.isEmpty && attention.allSatisfy { $0.contains("attention") })
    let none = try kernels("no-such-kernel")
    #expect(none.status == 2 && none.errors.contains("fits none of the"))
  }

  @Test func differences() {
    #expect(ChangePrinter.diff("a\nb\nc", "a\nb\nc") == "")
    #expect(ChangePrinter.diff("a\nb\nc", "a\nx\nc") == " a\n-b\n+x\n c")
    let old = (0..<20).map(String.init), new = old.filter { $0 != "4" && $0 != "15" }
    #expect(
      ChangePrinter.diff(old.joined(separator: "\n"), new.joined(separator: "\n"))
        == "@@ line 3\n 2\n 3\n-4\n 5\n 6\n@@ line 14\n 13\n 14\n-15\n 16\n 17")
  }
}
