import Foundation
import MoscCodegen
import MoscDriver
import MoscEngine
import MoscIR
import MoscLLVM
import MoscPasses
import MoscReport
import TestSupport
import Testing

/// The files under `Tests/Files`, a folder for each kind of test; `docs/debugging.md` describes them.
/// Those of passes run in `PassFileTests`.
@Suite struct FileTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Files")

  static let kinds: [String: @Sendable (FileTest) throws -> Void] = [
    "roundtrip": { try $0.roundtrips() }, "verify": { try $0.isRefused() },
    "run": { try $0.runs() }, "grad": { try $0.hasItsGradients() }, "emit": { try $0.emits() },
  ]

  static let files: [String] = kinds.keys.sorted().flatMap { kind in
    ((try? FileManager.default.contentsOfDirectory(
      atPath: folder.appending(path: kind).path)) ?? []).sorted().map { "\(kind)/\($0)" }
  }

  @Test(arguments: files) func file(_ path: String) throws {
    let text = try String(contentsOf: Self.folder.appending(path: path), encoding: .utf8)
    try Self.check(path, text)
  }

  static func check(_ path: String, _ text: String) throws {
    let test = try FileTest(path, text)
    guard let run = kinds[test.kind] else {
      throw FileTest.Failure("\(path): there is no kind '\(test.kind)'")
    }
    try run(test)
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
    let expected = try Self.files.filter { $0.hasPrefix("verify/") }.flatMap { path in
      try String(contentsOf: Self.folder.appending(path: path), encoding: .utf8)
        .matches(of: /\/\/ error: (\S+)/).map { String($0.1) }
    }
    for rule in rules { #expect(expected.contains(Self.parsed[rule] ?? rule), "\(rule)") }
  }

  @Test func everyKindHasFiles() throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
    #expect(Set(folders) == Set(Self.kinds.keys).union(["passes"]))
    for kind in Self.kinds.keys {
      #expect(Self.files.contains { $0.hasPrefix(kind + "/") }, "no file in '\(kind)'")
    }
  }

  // MARK: The runner sees what is wrong

  private static let silu = """
    mosc 1
    stage tensor

    func @f(%x: f32[2,20]) -> (y: f32[2,20]) {
      %y = silu(%x) : f32[2,20]
      return %y
    }

    """

  @Test(arguments: [
    ("a file of another folder", "run/a.mos", "//! test: grad\n" + silu),
    ("no header", "run/a.mos", silu),
    ("an unknown flag", "run/a.mos", "//! test: run --speed 1\n" + silu),
    ("a flag without a value", "run/a.mos", "//! test: run --type\n" + silu),
    ("another spelling", "roundtrip/a.mos", "//! test: roundtrip\n" + silu + "\n\n// end\n%"),
    ("nothing refused", "verify/a.mos", "//! test: verify\n// error: silu.dtype\n" + silu),
    ("no expected error", "verify/a.mos", "//! test: verify\n" + silu),
    (
      "another error", "verify/a.mos",
      "//! test: verify\n// error: silu.shape\n"
        + silu.replacingOccurrences(of: "silu(%x)", with: "silu(%z)")
    ),
    ("no check", "emit/a.mos", "//! test: emit --mcpu znver4\n" + silu),
    (
      "a missing instruction", "emit/a.mos",
      "//! test: emit --mcpu x86-64-v3\n// CHECK: vdpbf16ps\n" + kernel
    ),
    ("no gradient", "grad/a.mos", "//! test: grad\n" + silu),
  ])
  func controls(_ what: String, _ path: String, _ text: String) throws {
    #expect(throws: (any Error).self, "\(what) passes") { try Self.check(path, text) }
  }

  private static let kernel = """
    mosc 1
    stage kernel

    kernel @k(%x: f32[2,20]) -> (f32[2,20]) {
      %y = silu(%x) : f32[2,20]
      return %y
    }

    """

  @Test func soundFilesPass() throws {
    try Self.check("run/a.mos", "//! test: run\n" + Self.silu)
    try Self.check("emit/a.mos", "//! test: emit --mcpu znver4\n// CHECK: zmm\n" + Self.kernel)
  }
}

/// One file: its header, its module, and what it demands.
struct FileTest: Sendable {
  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }

  let path: String
  let kind: String
  let text: String
  private let flags: [String: String]
  private static let known: [String: Set<String>] = [
    "run": ["--type", "--mcpu"], "emit": ["--mcpu", "--form"], "grad": [], "verify": [],
    "roundtrip": [],
  ]

  init(_ path: String, _ text: String) throws {
    let first = text.prefix { $0 != "\n" }
    guard first.hasPrefix("//! test: ") else {
      throw Failure("\(path): expected '//! test: KIND', found '\(first)'")
    }
    var words = first.split(separator: " ").dropFirst(2).map(String.init)[...]
    kind = words.popFirst() ?? ""
    guard path.hasPrefix(kind + "/"), let known = Self.known[kind] else {
      throw Failure("\(path): a test '\(kind)' belongs into another folder")
    }
    var flags: [String: String] = [:]
    while let flag = words.popFirst() {
      guard known.contains(flag), let value = words.popFirst() else {
        throw Failure("\(path): '\(flag)' is no flag with a value of '\(kind)'")
      }
      flags[flag] = value
    }
    (self.path, self.text, self.flags) = (path, text, flags)
  }

  private func module() throws -> Module { try Parser.parse(text, file: path) }

  private func expect(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    if !condition { throw Failure("\(path): \(message())") }
  }

  /// Printing gives the file back, but for its comments.
  func roundtrips() throws {
    let plain = text.split(separator: "\n", omittingEmptySubsequences: false)
      .filter { !$0.hasPrefix("//") }.joined(separator: "\n")
    let printed = Printer.print(try module())
    try expect(printed == plain, "prints as\n\(printed)")
  }

  /// The parser or the verifier reports what `// error: ID` lines say, and nothing else.
  func isRefused() throws {
    let wanted = text.split(separator: "\n").filter { $0.hasPrefix("// error: ") }
      .map { String($0.dropFirst(10)) }
    try expect(!wanted.isEmpty, "no '// error: ID' line")
    let found =
      switch Result(catching: { try module() }) {
      case .success(let module): Verifier.check(module).map(\.id)
      case .failure(let error): (error as? Diagnostics)?.list.map(\.id) ?? ["\(error)"]
      }
    try expect(found == wanted, "expected \(wanted), found \(found)")
  }

  /// Passes and compiled code agree with the evaluator, for both vector lengths.
  func runs() throws {
    let precision: Precision = flags["--type"] == "bf16" ? .bf16 : .f32
    for cpu in flags["--mcpu"].map({ [$0] }) ?? ["native", "x86-64-v3"] {
      var options = CompilationOptions()
      (options.cpu, options.usesCache) = (cpu, false)
      let compiler = try Compiler(options, precision: precision, .silent)
      for seed in [UInt64](1...2) {
        let problem = try FuzzJob.problem(FuzzCase(try module(), seed: seed), compiler)
        try expect(problem == nil, "\(cpu): \(problem ?? "")")
      }
    }
  }

  /// Results named `d_x` are the gradients of the result `loss`, by central differences.
  func hasItsGradients() throws {
    var module = try module()
    var context = PassContext()
    var manager = PassManager(try Pipeline.parse("differentiate"))
    try manager.run(&module, &context)
    let test = FuzzCase(module, seed: 1)
    let labels = test.function.resultLabels
    let gradients = labels.filter { $0.hasPrefix("d_") }
    try expect(labels.contains("loss") && !gradients.isEmpty, "results 'loss' and 'd_…' are missing")
    func results(_ inputs: [String: HostTensor]) throws -> [String: HostTensor] {
      let values = try Evaluator(module).run(
        test.function, test.function.parameters.compactMap { inputs[test.function[$0].name] })
      return Dictionary(uniqueKeysWithValues: zip(labels, values))
    }
    let found = try results(test.inputs)
    for label in gradients {
      let name = String(label.dropFirst(2))
      guard let input = test.inputs[name], let gradient = found[label] else {
        throw Failure("\(path): there is no parameter '\(name)'")
      }
      for index in input.elements.indices {
        let step = 1.0 / 64
        let ends = try [step, -step].map { shift -> Double in
          var moved = input.elements
          moved[index] += shift
          var inputs = test.inputs
          inputs[name] = HostTensor(input.type, moved)
          return try results(inputs)["loss"]?.elements[0] ?? .nan
        }
        let (slope, value) = ((ends[0] - ends[1]) / (2 * step), gradient.elements[index])
        try expect(
          abs(slope - value) <= 2e-3 * max(1, abs(slope)),
          "'\(label)' element \(index): found \(value), expected \(slope)")
      }
    }
  }

  /// The code of the file's kernels holds what its checks say.
  func emits() throws {
    guard let cpu = flags["--mcpu"] else { throw Failure("\(path): no --mcpu") }
    let form = flags["--form"] ?? "asm"
    let forms: [String: KernelArtifact] = [
      "asm": .assembly, "llvm": .llvm, "llvm-opt": .optimised,
    ]
    guard let artifact = forms[form] else { throw Failure("\(path): unknown form '\(form)'") }
    let compiler = try KernelCompiler(CompilerOptions(facts: try TargetFacts(cpu: cpu)))
    let code = try module().kernels.map {
      String(decoding: try compiler.artifact(artifact, of: $0).code, as: UTF8.self)
    }
    try FileCheck.check(code.joined(separator: "\n"), against: text)
  }
}
