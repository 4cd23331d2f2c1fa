import Foundation
import MoscCodegen
import MoscFormats
import MoscIR
import MoscLLVM
import MoscReport

/// A program of a recorded run: what was compiled, how, and every kernel it became.
///
/// In a folder each is four files, `NNN_NAME` with the endings `.json` (the options), `.mos` (the
/// program), `.kernels.mos` (its kernels and the functions that call them) and `.ll` (LLVM IR).
package struct RecordedProgram {
  package var name: String
  package var options: CompilationOptions
  package var precision: Precision
  package var budget: MemoryBudget
  /// The processor and its features, on which code depends.
  package var processor: String
  /// The program before any pass.
  package var source: Module
  /// The functions of stage kernel as text.
  package var functions: String
  package var kernels: [RecordedKernel]

  private static let kernelMark = "; kernel @"

  /// The recording of a program that a compiler has lowered.
  package init(_ source: Module, _ lowered: Module, name: String, _ compiler: Compiler) throws {
    self.name = name
    (options, precision) = (compiler.options, compiler.target.precision)
    budget = compiler.budget
    processor = Self.processor(of: compiler.target)
    self.source = source
    functions = lowered.functions.map { Printer.print($0) }.joined(separator: "\n")
    kernels = try lowered.kernels.map { kernel in
      try Interruption.check()
      let code = try compiler.artifact(.llvm, of: kernel, isNamed: false)
      return RecordedKernel(
        name: kernel.name, text: Printer.print(kernel), code: String(decoding: code, as: UTF8.self))
    }
  }

  package static func processor(of target: CompilationTarget) -> String {
    target.facts.cpu + " " + target.facts.features
  }

  // MARK: Files

  /// The stems of the recordings in a folder, in order.
  package static func stems(in folder: String) throws -> [String] {
    let names = try namesInFolder(URL(fileURLWithPath: folder))
    return names.filter { $0.wholeMatch(of: /\d{3}_.+\.json/) != nil }
      .map { String($0.dropLast(".json".count)) }.sorted()
  }

  /// Writes the files into a folder, after what is there.
  package func write(into folder: String) throws {
    try makeFolder(URL(fileURLWithPath: folder))
    let last = try Self.stems(in: folder).last.flatMap { Int($0.prefix(3)) } ?? 0
    let stem = "\(folder)/\(String(last + 1001).dropFirst())_\(name)"
    let head = "mosc 1\nstage kernel\n"
    let texts = kernels.map(\.text) + [functions]
    try OutputFile("\(stem).mos").write(Printer.print(source))
    try OutputFile("\(stem).kernels.mos").write(head + texts.map { "\n\($0)" }.joined())
    try OutputFile("\(stem).ll").write(
      kernels.map { "\(Self.kernelMark)\($0.name)\n\($0.code)\n" }.joined())
    // The last file tells that the others are there.
    try OutputFile("\(stem).json").write(json.description + "\n")
  }

  private var json: JSONValue {
    let budgets: [(String, JSONValue)] = [
      ("load_budget", budget.load.map { .int($0) } ?? .null),
      ("step_budget", budget.step.map { .int($0) } ?? .null),
      ("bisect_limit", options.bisectLimit.map { .int($0) } ?? .null),
    ]
    return .fields(
      [
        ("mosc", .string(Version.text)), ("program", .string(name)),
        ("type", .string(precision.rawValue)), ("mcpu", .string(options.cpu)),
        ("mattr", .string(options.attributes)), ("processor", .string(processor)),
        ("level", .int(options.level.rawValue)),
        ("disabled", .array(options.disabledPasses.sorted().map { .string($0) })),
      ] + budgets)
  }

  /// Reads a recording.
  package init(folder: String, stem: String) throws {
    let path = "\(folder)/\(stem)"
    let object = try JSONObject(contentsOf: URL(fileURLWithPath: "\(path).json"))
    func value<T>(_ key: String, _ make: (String) -> T?) throws -> T {
      let text = try object.string(key)
      guard let value = make(text) else { throw object.error(key, "'\(text)' is not known") }
      return value
    }
    name = try object.string("program")
    precision = try value("type") { Precision(rawValue: $0) }
    processor = try object.string("processor")
    options = CompilationOptions()
    (options.cpu, options.attributes) = (try object.string("mcpu"), try object.string("mattr"))
    let level = try object.int("level")
    guard let level = OptimisationLevel(rawValue: level) else {
      throw object.error("level", "expected 0 to 3, found \(level)")
    }
    options.level = level
    options.disabledPasses = Set((object["disabled"]?.array ?? []).compactMap(\.string))
    budget = MemoryBudget(load: object["load_budget"]?.int, step: object["step_budget"]?.int)
    options.bisectLimit = object["bisect_limit"]?.int
    source = try ModuleFile.read("\(path).mos")
    let lowered = try Parser.parse(
      TextFile.read("\(path).kernels.mos"), file: "\(path).kernels.mos")
    functions = lowered.functions.map { Printer.print($0) }.joined(separator: "\n")
    var codes: [String: String] = [:]
    for part in try TextFile.read("\(path).ll").components(separatedBy: "\n" + Self.kernelMark) {
      let lines = part.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
      guard lines.count == 2 else { continue }
      let name = lines[0].replacingOccurrences(of: Self.kernelMark, with: "")
      codes[name] = String(lines[1])
    }
    kernels = lowered.kernels.map {
      RecordedKernel(name: $0.name, text: Printer.print($0), code: codes[$0.name] ?? "")
    }
  }
}

/// A kernel of a recorded run, as text.
package struct RecordedKernel {
  package var name: String
  /// The kernel in stage kernel.
  package var text: String
  /// Its LLVM IR before LLVM's passes.
  package var code: String

  /// What the kernel does, whatever it is called.
  package var content: [String] {
    [text.replacingOccurrences(of: "@\(name)(", with: "@("), code.trimmingLines]
  }
}

extension String {
  /// The text without empty lines at its end.
  fileprivate var trimmingLines: String {
    var text = self
    while text.hasSuffix("\n") { text.removeLast() }
    return text
  }
}
