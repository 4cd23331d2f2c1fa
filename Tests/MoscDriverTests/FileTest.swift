import MoscCodegen
import MoscDriver
import MoscEngine
import MoscIR
import MoscLLVM
import MoscPasses
import MoscReport
import TestSupport

/// A file under `Tests/Files`, and what its kind demands of each of its programs.
struct FileTest {
  typealias Failure = TestFile.Failure

  static let kinds: [String: @Sendable (FileTest, TestFile.Program) throws -> Void] = [
    "roundtrip": { try $0.roundtrips($1) }, "verify": { try $0.isRefused($1) },
    "run": { try $0.runs($1) }, "grad": { try $0.hasItsGradients($1) }, "emit": { try $0.emits($1) },
  ]
  private static let flags: [String: Set<String>] = [
    "run": ["--type", "--mcpu"], "emit": ["--mcpu", "--form"], "grad": ["--type"], "verify": [],
    "roundtrip": [],
  ]

  let file: TestFile

  init(_ path: String, _ text: String) throws {
    file = try TestFile(path, text, flags: Self.flags)
    guard path.hasPrefix(file.kind + "/") else {
      throw Failure("\(path): a test '\(file.kind)' belongs into another folder")
    }
    let isCompiled = try ["emit", "run"].contains(file.kind) || precision() != nil
    if !isCompiled, file.programs.contains(where: Self.hasChecks) {
      throw Failure("\(path): nothing is compared with its checks")
    }
  }

  /// Checks every program and returns the text of the file as it is, or as it is blessed to be.
  func check(blessing: Bool = false) throws -> String {
    try file.check(blessing: blessing) { try Self.kinds[file.kind]?(self, $0) }
  }

  private static func hasChecks(_ program: TestFile.Program) -> Bool {
    program.lines.contains { $0.hasPrefix("//") && $0.contains("CHECK") }
  }

  private func module(_ program: TestFile.Program) throws -> Module {
    try Parser.parse(program.text, file: file.path)
  }

  private func expect(
    _ condition: Bool, _ program: TestFile.Program, _ message: @autoclosure () -> String
  ) throws {
    if !condition { throw Failure("\(file.path):\(program.offset + 1): \(message())") }
  }

  // MARK: Texts

  /// Printing gives the program back, but for the comments around it.
  private func roundtrips(_ program: TestFile.Program) throws {
    let printed = Printer.print(try module(program))
      .split(separator: "\n", omittingEmptySubsequences: false)
    let isComment = { (line: Substring) in line.hasPrefix("//") }
    let head = program.lines.prefix(while: isComment)
    let rest = program.lines.dropFirst(head.count)
    if Array(rest) == printed { return }
    try expect(!rest.contains(where: isComment), program, "comments belong before the program")
    throw TestFile.Outdated(
      "line \(program.offset + 1): prints as\n\(printed.joined(separator: "\n"))",
      lines: head + printed)
  }

  /// The parser or the verifier reports the errors of the program's comments, and nothing else.
  private func isRefused(_ program: TestFile.Program) throws {
    try ErrorComments(program).check(errors(program))
  }

  private func errors(_ program: TestFile.Program) -> [ErrorComments.Found] {
    let list: [Diagnostic]
    do {
      list = Verifier.check(try module(program))
    } catch let errors as Diagnostics {
      list = errors.list
    } catch {
      list = [Diagnostic("unknown", "\(error)")]
    }
    return list.map { ErrorComments.Found(line: $0.location?.line, id: $0.id, message: $0.message) }
  }

  /// What is reported of all programs.
  func errors() -> [ErrorComments.Found] { file.programs.flatMap(errors) }

  // MARK: Values

  /// Passes and compiled code agree with the evaluator, for both vector lengths; the kernels are what
  /// checks say, if there are any.
  private func runs(_ program: TestFile.Program) throws {
    let cpus = try file.value(of: "--mcpu") { [$0] } ?? ["native", "x86-64-v3"]
    for cpu in cpus {
      try agrees(try module(program), cpu, precision() ?? .f32, seeds: 1...2, program)
    }
  }

  private func precision() throws -> Precision? {
    try file.value(of: "--type") { Precision(rawValue: $0) }
  }

  private func agrees(
    _ module: Module, _ cpu: String, _ precision: Precision, seeds: ClosedRange<UInt64>,
    _ program: TestFile.Program
  ) throws {
    var options = CompilationOptions()
    (options.cpu, options.usesCache) = (cpu, false)
    let compiler = try Compiler(options, precision: precision, .silent)
    for seed in seeds {
      let problem = try FuzzJob.problem(FuzzCase(module, seed: seed), compiler)
      try expect(problem == nil, program, "\(cpu): \(problem ?? "")")
    }
    if Self.hasChecks(program) {
      let name = FuzzCase(module, seed: 1).function.name
      let kernels = try compiler.lower(module, name: name).kernels
      try FileCheck.check(Printer.print(kernels), against: program.text)
    }
  }

  /// Results named `d_x` are the gradients of the result `loss`, by central differences; code that is
  /// compiled for a type computes the same.
  private func hasItsGradients(_ program: TestFile.Program) throws {
    var module = try module(program)
    var context = PassContext()
    var manager = PassManager(try Pipeline.parse("differentiate"))
    try manager.run(&module, &context)
    let problem = try GradientProbe(FuzzCase(module, seed: 1)).problem()
    try expect(problem == nil, program, problem ?? "")
    if let precision = try precision() {
      try agrees(module, "native", precision, seeds: 1...1, program)
    }
  }

  // MARK: Code

  /// The code of the program's kernels holds what its checks say.
  private func emits(_ program: TestFile.Program) throws {
    guard let cpu = try file.value(of: "--mcpu", { $0 }) else {
      throw Failure("\(file.path):1: no --mcpu")
    }
    let forms = ["asm": KernelArtifact.assembly, "llvm": .llvm, "llvm-opt": .optimised]
    let artifact = try file.value(of: "--form") { forms[$0] } ?? .assembly
    let compiler = try KernelCompiler(CompilerOptions(facts: try TargetFacts(cpu: cpu)))
    let code = try module(program).kernels.map {
      String(decoding: try compiler.artifact(artifact, of: $0).code, as: UTF8.self)
    }
    try FileCheck.check(code.joined(separator: "\n"), against: program.text)
  }
}
