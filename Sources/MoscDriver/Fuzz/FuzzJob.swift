import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscReport
import MoscRuntime

/// What `mosc fuzz` is asked for.
package struct FuzzRequest: Hashable, Sendable {
  package var seed: UInt64 = 0
  package var count = 100
  /// Where functions go that show a difference; nil for nowhere.
  package var folder: String?
  package var compiler = CompilationOptions()

  package init() {}
}

/// `mosc fuzz`: random functions through the whole compiler, against the reference evaluator.
///
/// For each seed the evaluator computes the function as it is and after the passes, and compiled
/// code computes it, in f32 or (every fourth seed) bf16, for this processor and (every second seed)
/// x86-64-v3. Neighbours must agree: passes with none, code with what the passes left, bf16 with f32.
package struct FuzzJob {
  package let request: FuzzRequest
  package let reporter: Reporter
  /// Seeds after which machine code is given back.
  private static let seedsPerCompiler: UInt64 = 64

  package init(_ request: FuzzRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  /// - Throws: `CommandError.failure` when functions differ, after all seeds.
  package func run() throws {
    let quiet = reporter.quieter
    var differing: [UInt64] = []
    let (end, isTooLarge) = request.seed.addingReportingOverflow(UInt64(request.count))
    if isTooLarge {
      throw CommandError.usage("--seed \(request.seed): \(request.count) seeds from there on are too many")
    }
    let pool = ThreadPool(threads: request.compiler.threads ?? ProcessFacts.physicalCoreCount)
    reporter.begin(.run, "fuzz")
    for start in stride(from: request.seed, to: end, by: UInt64.Stride(Self.seedsPerCompiler)) {
      var compilers: [Variant: Compiler] = [:]
      for seed in start..<start + min(Self.seedsPerCompiler, end - start) {
        try Interruption.check()
        let variant = Variant(seed, request.compiler)
        let compiler = try compilers[variant] ?? variant.compiler(request.compiler, quiet, pool)
        compilers[variant] = compiler
        if let problem = try Self.problem(seed, compiler) {
          differing.append(seed)
          let path = try save(seed)
          reporter.error(
            "seed \(seed), \(variant.precision.rawValue) for \(variant.cpu): \(problem)"
              + (path.map { " (\($0))" } ?? ""))
        }
        reporter.progress(
          .run, "fuzz", done: Int(seed - request.seed) + 1, of: request.count)
      }
    }
    reporter.end(.run, "fuzz")
    reporter.info(
      "\(request.count) functions from seed \(request.seed) on, \(differing.count) with a difference")
    if !differing.isEmpty {
      throw CommandError.failure(
        "functions of seeds \(differing.map(String.init).joined(separator: ", ")) differ")
    }
  }

  /// What the function of a seed is compiled for.
  private struct Variant: Hashable {
    let cpu: String
    let precision: Precision

    init(_ seed: UInt64, _ options: CompilationOptions) {
      precision = seed % 4 == 3 ? .bf16 : .f32
      cpu = seed % 2 == 0 || options.cpu != "native" ? options.cpu : "x86-64-v3"
    }

    func compiler(
      _ options: CompilationOptions, _ reporter: Reporter, _ pool: ThreadPool
    ) throws -> Compiler {
      var options = options
      options.cpu = cpu
      options.usesCache = false
      return try Compiler(options, precision: precision, reporter, pool: pool)
    }
  }

  private static func problem(_ seed: UInt64, _ compiler: Compiler) throws -> String? {
    try problem(try FuzzCase(seed: seed), compiler)
  }

  /// The difference that a function shows, or nil.
  package static func problem(_ test: FuzzCase, _ compiler: Compiler) throws -> String? {
    do {
      let plain = try test.expected()
      let lowered = try compiler.lower(test.module, name: test.function.name)
      let after = try test.expected(after: lowered.kernels)
      let isRounded = compiler.target.precision == .bf16
      if let found = FuzzCase.difference(after, plain, isRounded ? .bf16 : .f32) {
        return "passes change \(found)"
      }
      let computed = try test.computed(compiler)
      return FuzzCase.difference(computed, after, isRounded ? .bf16 : .f32)
        .map { "code computes \($0)" }
    } catch let error as CommandError where error == .interrupted {
      throw error
    } catch {
      return "\(error)"
    }
  }

  private func save(_ seed: UInt64) throws -> String? {
    guard let folder = request.folder else { return nil }
    let url = URL(fileURLWithPath: folder)
    try makeFolder(url)
    let file = url.appendingPathComponent("fuzz-\(seed).mos")
    let text = Printer.print(try FuzzCase(seed: seed).module)
    try AtomicFile.write(Data(text.utf8), to: file)
    return file.path
  }
}
