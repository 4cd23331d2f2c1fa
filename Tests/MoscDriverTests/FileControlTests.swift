import Foundation
import TestSupport
import Testing

/// The runner of file tests sees what is wrong, says where, and blesses only what it may.
@Suite struct FileControlTests {
  private static let silu = """
    mosc 1
    stage tensor

    func @f(%x: f32[2,20]) -> (y: f32[2,20]) {
      %y = silu(%x) : f32[2,20]
      return %y
    }

    """

  private static let kernel = """
    mosc 1
    stage kernel

    kernel @k(%x: f32[2,20]) -> (f32[2,20]) {
      %y = silu(%x) : f32[2,20]
      return %y
    }

    """

  /// A square whose gradient is twice its root, or what is given instead.
  private static func square(_ gradient: String) -> String {
    """
    mosc 1
    stage tensor

    func @f(%x: f32[3]) -> (loss: f32[1], d_x: f32[3]) {
      %s = mul(%x, %x) : f32[3]
      %loss = reduce_sum(%s, axes: [0]) : f32[1]
      %d = \(gradient)
      return %loss, %d
    }

    """
  }

  /// A sum of one operand, with comments at the end of its line and elsewhere.
  private static func refused(
    _ end: String, top: String = "", above: String = "", below: String = ""
  ) -> String {
    """
    \(top)mosc 1
    stage tensor

    func @f(%x: f32[4]) -> (f32[4]) {
      %z = silu(%x) : f32[4]\(above)
      %y = add(%z) : f32[4]\(end)
      return %y\(below)
    }

    """
  }

  /// A file of a kind, in that kind's folder unless it is said to be in another.
  struct Sample: Sendable, CustomStringConvertible {
    let description: String
    let path: String
    let text: String

    init(_ what: String, _ header: String, _ text: String, folder: String? = nil) {
      description = what
      path = "\(folder ?? String(header.prefix { $0 != " " }))/a.mos"
      self.text = "//! test: \(header)\n\(text)"
    }
  }

  private static let wrong: [Sample] = [
    Sample("a file of another folder", "grad", square("add(%x, %x) : f32[3]"), folder: "run"),
    Sample("an unknown kind", "ran", silu),
    Sample("an unknown flag", "run --speed 1", silu),
    Sample("an unknown type", "run --type f33", silu),
    Sample("a flag without a value", "run --type", silu),
    Sample("another spelling", "roundtrip", "\(silu)\n\n// end\n%"),
    Sample("nothing refused", "verify", "// error: silu.dtype\n\(silu)"),
    Sample("no expected error", "verify", silu),
    Sample("an error without a comment", "verify", refused("")),
    Sample("another error", "verify", refused("  // error: op.shape")),
    Sample("a part of an id", "verify", refused("  // error: op.arit")),
    Sample("the line before", "verify", refused("", above: "  // error: op.arity")),
    Sample("the line after", "verify", refused("", below: "  // error: op.arity")),
    Sample("no line", "verify", refused("", top: "//! error: op.arity\n")),
    Sample(
      "an error too many", "verify",
      refused("  // error: op.arity", below: "  // error: op.arity")),
    Sample(
      "an error too few", "verify",
      refused("  // error: op.arity").replacingOccurrences(of: "silu(%x)", with: "silu(%q)")),
    Sample("a comment that says nothing", "verify", refused("  // error: ")),
    Sample(
      "a second program that is sound", "verify",
      "\(refused("  // error: op.arity"))//! next: sound\n\(silu)"),
    Sample("a separator that is none", "run", "\(silu)//! nxt: again\n\(silu)"),
    Sample("no check", "emit --mcpu znver4", silu),
    Sample("a missing instruction", "emit --mcpu x86-64-v3", "// CHECK: vdpbf16ps\n\(kernel)"),
    Sample("a check of a kernel that is not there", "run", "// CHECK: gelu(\n\(silu)"),
    Sample(
      "checks that nobody looks at", "grad", "// CHECK: add(\n\(square("add(%x, %x) : f32[3]"))"),
    Sample("no gradient", "grad", silu),
    Sample("a wrong gradient", "grad", square("mul(%x, %s) : f32[3]")),
    Sample("half a gradient", "grad", square("abs(%x) : f32[3]")),
  ]

  @Test(arguments: wrong) func refuses(_ sample: Sample) throws {
    #expect(throws: (any Error).self) { _ = try FileTest(sample.path, sample.text).check() }
  }

  @Test func needsAHeader() throws {
    #expect(throws: TestFile.Failure.self) { _ = try FileTest("run/a.mos", Self.silu) }
    #expect(throws: TestFile.Failure.self) { _ = try FileTest("run/a.mos", "") }
  }

  private static let right: [Sample] = [
    Sample("a sound program", "run", silu),
    Sample("two sound programs", "run", "\(silu)//! next: again\n\(silu)"),
    Sample("an instruction", "emit --mcpu znver4", "// CHECK: zmm\n\(kernel)"),
    Sample("a gradient", "grad", square("add(%x, %x) : f32[3]")),
    Sample(
      "a gradient in code", "grad --type f32",
      "// CHECK: add(\n\(square("add(%x, %x) : f32[3]"))"),
    Sample("a kernel", "run --type bf16", "// CHECK: silu(\n\(silu)"),
    Sample("an error at the end of its line", "verify", refused("  // error: op.arity")),
    Sample("an error above its line", "verify", refused("", above: "\n  // error: op.arity")),
    Sample("a part of a message", "verify", refused("  // error: does not take 1 operands")),
  ]

  @Test(arguments: right) func accepts(_ sample: Sample) throws {
    #expect(try FileTest(sample.path, sample.text).check() == sample.text)
  }

  /// Every program of a file counts the lines of the file.
  @Test func namesTheLineOfTheFile() throws {
    let first = Self.refused("  // error: op.arity")
    let second = Self.refused("", above: "\n  // error: op.shape")
    let sample = Sample("two programs", "verify", "\(first)//! next: another\n\(second)")
    let error = #expect(throws: TestFile.Failure.self) {
      _ = try FileTest(sample.path, sample.text).check()
    }
    let message = error?.description ?? ""
    #expect(message.contains("line 17: not expected:") && message.contains("[op.arity]"))
    #expect(message.contains("line 17: not reported: op.shape"))
    #expect(message.contains("MOSC_BLESS=1"))
  }

  /// Blessing moves comments to where they belong, leaves right ones as they are, and is done once.
  @Test(arguments: [
    (refused("", above: "  // error: op.arity"), refused("  // error: op.arity")),
    (refused("", below: "\n  // error: op.shape"), refused("  // error: op.arity")),
    (refused("", top: "//! error: op.arity\n"), refused("  // error: op.arity")),
    (
      refused("  // error: does not take 1 operands", below: "  // error: op.shape"),
      refused("  // error: does not take 1 operands")
    ),
  ])
  func blesses(_ text: String, _ right: String) throws {
    let (sample, right) = (Sample("", "verify", text), Sample("", "verify", right))
    let blessed = try FileTest(sample.path, sample.text).check(blessing: true)
    #expect(blessed == right.text)
    #expect(try FileTest(right.path, blessed).check() == blessed)
  }

  /// An error without a line stands above its program, several of one line above that line.
  @Test func blessesErrorsOfAnyPlace() throws {
    let text = """
      //! test: verify
      mosc 1
      stage tensor

      kernel @k(%x: f32[4]) -> (f32[4]) {
        %y = mul(%y, %z) : f32[4]
        return %x
      }
      //! next: no line
      mosc 1
      stage tensor

      kernel @k(%x: f32[4]) -> (f32[4]) {
        return %x
      }

      """
    let blessed = try FileTest("verify/a.mos", text).check(blessing: true)
    #expect(blessed.contains("//! next: no line\n//! error: verify.tensor\nmosc 1\n"))
    #expect(try FileTest("verify/a.mos", blessed).check() == blessed)
  }

  @Test func blessesWhatIsPrinted() throws {
    let text = "//! test: roundtrip\n\(Self.silu)"
    let loose = text.replacingOccurrences(of: "silu(%x) :", with: "silu( %x )  :")
    #expect(try FileTest("roundtrip/a.mos", loose).check(blessing: true) == text)
    // What cannot be kept is not thrown away.
    let inner = loose.replacingOccurrences(of: "  return", with: "// why\n  return")
    #expect(throws: TestFile.Failure.self) {
      _ = try FileTest("roundtrip/a.mos", inner).check(blessing: true)
    }
  }

  /// What is wrong with values or code is never blessed.
  @Test(arguments: wrong.filter { !["roundtrip", "verify"].contains($0.path.prefix { $0 != "/" }) })
  func blessesNothingElse(_ sample: Sample) throws {
    #expect(throws: (any Error).self) {
      _ = try FileTest(sample.path, sample.text).check(blessing: true)
    }
  }

  @Test func noBlessingUnderCI() throws {
    #expect(try !TestFile.isBlessing([:]))
    #expect(try !TestFile.isBlessing(["MOSC_BLESS": "0", "CI": "true"]))
    #expect(try TestFile.isBlessing(["MOSC_BLESS": "1"]))
    #expect(try TestFile.isBlessing(["MOSC_BLESS": "1", "CI": "false"]))
    #expect(throws: TestFile.Failure.self) {
      try TestFile.isBlessing(["MOSC_BLESS": "1", "CI": "true"])
    }
  }
}
