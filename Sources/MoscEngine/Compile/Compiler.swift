import Foundation
import MoscCodegen
import MoscIR
import MoscLLVM
import MoscPasses
import MoscReport
import MoscRuntime

/// A module on its way from model ops to buffers.
package struct LoweredModule: Sendable {
  /// Stage kernel: fused kernels, and functions that call them.
  package var kernels: Module
  /// Stage buffer: arena offsets and launches.
  package var buffers: Module
}

/// Takes modules through the passes and code generation.
///
/// One is made per command; copies for another arithmetic, budget or listener share its threads,
/// linked kernels and caches.
package struct Compiler: Sendable {
  package let options: CompilationOptions
  package private(set) var target: CompilationTarget
  package private(set) var budget = MemoryBudget()
  package let pool: ThreadPool
  package private(set) var reporter: Reporter
  /// Asked by running programs, between kernels, whether to stop.
  package var isCancelled: @Sendable () -> Bool = { Interruption.isRequested }
  private let kernels: KernelCompiler
  private let remarks: RemarkPrinter
  /// Packed weights of earlier runs; nil without a cache.
  package let packedWeights: PackedWeights?

  /// The same for programs that keep no more than some bytes.
  package func within(_ budget: MemoryBudget) -> Compiler {
    var copy = self
    copy.budget = budget
    return copy
  }

  /// The same, rounding nothing to 8 bits.
  package var unquantised: Compiler {
    guard target.precision == .int8 else { return self }
    var copy = self
    copy.target.precision = .usual(on: target.facts)
    return copy
  }

  /// The same with messages and progress to another listener.
  package func reporting(to reporter: Reporter) -> Compiler {
    var copy = self
    copy.reporter = reporter
    return copy
  }

  /// A compiler for training, whose steps are smaller than those of 8 bits.
  package init(
    training options: CompilationOptions, precision: Precision?, _ reporter: Reporter
  ) throws {
    if precision == .int8 {
      throw CommandError.usage("--type int8 is for drawing; training takes 'f32' or 'bf16'")
    }
    try self.init(options, precision: precision, reporter)
  }

  /// - Parameter pool: threads to share; nil for threads of its own.
  /// - Throws: a usage error for an unknown processor.
  package init(
    _ options: CompilationOptions, precision: Precision?, _ reporter: Reporter,
    pool: ThreadPool? = nil
  ) throws {
    self.options = options
    self.reporter = reporter
    remarks = try RemarkPrinter(options, reporter)
    target = try CompilationTarget(options, precision: precision)
    self.pool = pool ?? ThreadPool(threads: target.threads)
    let folder = CacheFolder(options.cacheFolder)
    // What others may write would be executed as it is.
    let fault = folder.fault
    if let fault, options.usesCache { reporter.alert("the cache is not used: \(fault)") }
    let usesCache = options.usesCache && fault == nil
    let limit = try folder.limit()
    // Line tables change the code, by whose hash the values are named.
    packedWeights = usesCache && !options.hasDebugInfo ? folder.packedWeights(limit) : nil
    kernels = try KernelCompiler(
      CompilerOptions(
        facts: target.facts, threads: target.threads,
        cache: usesCache ? folder.objectCache(limit) : nil,
        level: options.level.code,
        sourceFolder: options.hasDebugInfo ? folder.sources : nil))
    let choice = precision == nil ? " (chosen for this processor)" : ""
    reporter.detail(
      "\(target.precision.rawValue) arithmetic\(choice), \(target.threads) threads, "
        + "code for \(target.facts.cpu)")
  }

  /// The module in stage kernel and in stage buffer.
  ///
  /// - Parameter observe: called after each pass.
  package func lower(
    _ module: Module, name: String,
    observe: ((_ pass: String, _ module: Module) -> Void)? = nil
  ) throws -> LoweredModule {
    let source = module
    var module = module
    // Passes may replace a result by another value, whose name would then be the result's.
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      module.graphs[index].resultNames = module.graphs[index].resultLabels
    }
    let pipeline = PassPipeline(options, target, reporter, budget: budget)
    // A module in stage kernel, as dumps hold it, goes on from there.
    var fused: Module? = module.stage == .tensor ? nil : module
    try pipeline.run(
      try passes(from: module.stage), on: &module, verifyEach: options.verifiesEach, name: name
    ) { pass, module in
      if pass == Fuse.name { fused = module }
      observe?(pass, module)
    }
    guard let fused else {
      throw CommandError.failure("the pass pipeline has no '\(Fuse.name)'")
    }
    if let folder = options.shows.recordFolder {
      try RecordedProgram(source, fused, name: name, self).write(into: folder)
    }
    return LoweredModule(kernels: fused, buffers: module)
  }

  /// The passes that take a module from a stage to stage buffer.
  private func passes(from stage: Stage) throws -> [any Pass] {
    if stage == .buffer { return [] }
    var passes = try Pipeline.inference()
    if stage == .kernel, let fuse = passes.firstIndex(where: { type(of: $0).name == Fuse.name }) {
      passes.removeFirst(fuse + 1)
    }
    if options.level == .none, let plain = try Pipeline.parse("\(Fuse.name){fusion=none}").first {
      passes = passes.map { type(of: $0).name == Fuse.name ? plain : $0 }
    }
    var left = options.disabledPasses
    if options.level == .none || options.level == .fused {
      left.formUnion(PassPipeline.optional.map { $0.name })
    }
    return passes.filter { !left.contains(type(of: $0).name) }
  }

  /// Compiles one function of a module of stage tensor or kernel.
  ///
  /// A module of stage buffer cannot be bound: its functions no longer say which of the places that
  /// they take are inputs and which are results.
  package func compile(_ module: Module, function name: String) throws -> CompiledFunction {
    guard module.stage != .buffer else {
      throw CommandError.failure(
        "'@\(name)' is of a module in stage buffer, which names no inputs and results; "
          + "run the module in stage tensor or kernel that it was made from")
    }
    guard let source = module[name] else {
      throw CommandError.failure("the module has no function '@\(name)'")
    }
    return try Reproducer(options.shows.reproducer).watching(module) {
      try compile(module, source)
    }
  }

  private func compile(_ module: Module, _ source: Graph) throws -> CompiledFunction {
    let name = source.name
    return try reporter.phase(.compile, name) {
      let lowered = try lower(module, name: name)
      try Interruption.check()
      let reporter = reporter
      let compiled = try kernels.compile(
        lowered.buffers.kernels, isCancelled: Interruption.question
      ) { done, total in
        reporter.progress(.compile, "kernels of \(name)", done: done, of: total)
      }
      try Interruption.check()
      for kernel in compiled.values.sorted(by: { $0.name < $1.name }) {
        // Where one entry is damaged there are often more.
        for warning in kernel.warnings { reporter.warn(warning, kind: "kernel cache") }
        try remarks.print(kernel.remarks)
      }
      reporter.detail(kernels.statistics.explanation)
      var parts: [Rate: LinkedFunction] = [:]
      for rate in Rate.allCases {
        let part = "\(name).\(rate.name)"
        guard let graph = lowered.buffers[part] else { continue }
        parts[rate] = try LinkedFunction(
          graph, resultNames: lowered.kernels[part]?.resultNames ?? [], kernels: compiled.mapValues(Self.callable))
      }
      let work = Dictionary(
        lowered.buffers.kernels.map { ($0.name, Work(of: $0)) }, uniquingKeysWith: { $1 })
      return CompiledFunction(source, parts: parts, work: work, kernels: kernels)
    }
  }

  /// Compiles kernels by themselves.
  package func compileKernels(
    _ graphs: [Graph], progress: (@Sendable (_ done: Int, _ of: Int) -> Void)? = nil
  ) throws -> [String: Kernel] {
    let compiled = try kernels.compile(
      graphs, isCancelled: Interruption.question, progress: progress)
    try Interruption.check()
    return compiled.mapValues(Self.callable)
  }

  private static func callable(_ kernel: CompiledKernel) -> Kernel {
    Kernel(
      name: kernel.name, function: kernel.function, taskCount: kernel.taskCount,
      identity: kernel.key)
  }

  /// The code of a kernel in one of its forms.
  ///
  /// - Parameter isNamed: whether functions are named after the kernel, for people; else equal kernels have
  ///   equal code, as in the cache.
  package func artifact(_ form: KernelArtifact, of kernel: Graph, isNamed: Bool = true) throws -> [UInt8] {
    let (code, remarks) = try kernels.artifact(form, of: kernel, isNamed: isNamed)
    try self.remarks.print(remarks)
    return code
  }
}
