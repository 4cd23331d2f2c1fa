import Foundation
import MoscIR
import MoscLLVM
import Synchronization

/// Compiles the kernels of modules to machine code in this process.
///
/// The code stays callable while the compiler lives.
package final class KernelCompiler: Sendable {
  package let options: CompilerOptions
  private let jit: JIT
  private let nextLibrary = Atomic<Int>(0)
  private let total = Mutex(CompilerStatistics())
  /// Whether an object could not be stored.
  private let isUnwritable = Atomic<Bool>(false)

  package init(_ options: CompilerOptions) throws {
    self.options = options
    jit = try JIT(isDebugging: options.sourceFolder != nil)
  }

  /// What all compilations of this compiler did together.
  package var statistics: CompilerStatistics { total.withLock { $0 } }

  /// Compiles every kernel of a module on the option's number of threads.
  ///
  /// - Parameter progress: called after each kernel with the number done, from any thread.
  /// - Throws: the first kernel's failure in module order.
  package func compile(
    _ module: Module, progress: (@Sendable (_ done: Int, _ of: Int) -> Void)? = nil
  ) throws -> [String: CompiledKernel] {
    try compile(module.kernels, progress: progress)
  }

  /// Compiles kernels on the option's number of threads.
  ///
  /// - Parameter isCancelled: asked before each kernel whether to leave out those that are left.
  package func compile(
    _ kernels: [Graph], isCancelled: @escaping @Sendable () -> Bool = { false },
    progress: (@Sendable (_ done: Int, _ of: Int) -> Void)? = nil
  ) throws -> [String: CompiledKernel] {
    let next = Atomic<Int>(0)
    let done = Atomic<Int>(0)
    let results = Mutex([Int: Result<CompiledKernel, any Error>]())
    // Long kernels first, so that no thread is left with one at the end.
    let order = kernels.indices.sorted { kernels[$0].nodes.count > kernels[$1].nodes.count }
    @Sendable func work(_ thread: Int) {
      do {
        let machine = try TargetMachine(facts: options.facts, level: options.level)
        while !isCancelled() {
          let position = next.add(1, ordering: .relaxed).oldValue
          guard position < order.count else { return }
          let index = order[position]
          let result = Result { try compile(kernels[index], machine) }
          results.withLock { $0[index] = result }
          progress?(done.add(1, ordering: .relaxed).newValue, order.count)
        }
      } catch {
        results.withLock { $0[-1 - thread] = .failure(error) }
      }
    }
    let threads = max(1, min(options.threads, kernels.count))
    if threads == 1 {
      work(0)
    } else {
      DispatchQueue.concurrentPerform(iterations: threads, execute: work)
    }
    var compiled: [String: CompiledKernel] = [:]
    for (_, result) in results.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      let kernel = try result.get()
      compiled[kernel.name] = kernel
    }
    if let cache = options.cache, compiled.values.contains(where: { !$0.isCached }) {
      cache.trim()
    }
    return compiled
  }

  private func compile(
    _ kernel: Graph, _ machine: borrowing TargetMachine
  ) throws -> CompiledKernel {
    let start = ContinuousClock.now
    let module = LLVMModule(name: KernelLowering.symbol, target: machine)
    let source = try options.sourceFolder.map { try KernelSource(kernel, in: $0) }
    try source?.write()
    let (taskCount, remarks) = try KernelLowering.lower(
      kernel, into: module.builder, target: options.facts, source: source)
    let symbol = source == nil
      ? KernelLowering.symbol : KernelLowering.symbol(KernelLowering.symbol, of: kernel.name)
    var warnings: [String] = []
    var object: [UInt8]?
    // Programs of one run tell by it, too, which of their values are the same.
    let key = ContentKey.of([
      module.text, options.facts.cpu, options.facts.features, LLVMVersion.current,
      options.level.rawValue, options.level.pipeline ?? "",
    ])
    if let cache = options.cache {
      switch cache.object(key) {
      case .hit(let bytes): object = bytes
      case .miss: break
      case .damaged(let reason): warnings.append(reason)
      }
    }
    let isCached = object != nil
    let code: [UInt8]
    if let object {
      code = object
    } else {
      try annotate(kernel) { try module.optimise(for: machine, options.level) }
      code = try module.object(for: machine)
      // A cache that cannot be written is said once, not once for every kernel.
      if !isUnwritable.load(ordering: .relaxed),
        let reason = options.cache?.store(code, key),
        !isUnwritable.exchange(true, ordering: .relaxed)
      {
        warnings.append(reason)
      }
    }
    let number = nextLibrary.add(1, ordering: .relaxed).oldValue
    let function = try jit.add(
      object: code, symbol: symbol, library: "\(kernel.name).\(number)")
    let time = (ContinuousClock.now - start).components
    let milliseconds = Double(time.seconds) * 1e3 + Double(time.attoseconds) * 1e-15
    total.withLock {
      $0.kernels += 1
      $0.cacheHits += isCached ? 1 : 0
      $0.cacheMisses += isCached ? 0 : 1
      $0.objectBytes += code.count
      $0.compileMilliseconds += isCached ? 0 : milliseconds
    }
    return CompiledKernel(
      name: kernel.name, function: function, taskCount: taskCount, objectBytes: code.count,
      compileMilliseconds: milliseconds, key: key, isCached: isCached, warnings: warnings, remarks: remarks)
  }

  /// The code of one kernel in one of its forms.
  ///
  /// - Parameter isNamed: whether functions are named after the kernel.
  package func artifact(
    _ form: KernelArtifact, of kernel: Graph, isNamed: Bool = false
  ) throws -> (code: [UInt8], remarks: [CodeRemark]) {
    let machine = try TargetMachine(facts: options.facts, level: options.level)
    let module = LLVMModule(name: isNamed ? kernel.name : KernelLowering.symbol, target: machine)
    let source = try options.sourceFolder.map { try KernelSource(kernel, in: $0) }
    let (_, remarks) = try KernelLowering.lower(
      kernel, into: module.builder, target: options.facts, source: source, isNamed: isNamed)
    if form != .llvm {
      try annotate(kernel) { try module.optimise(for: machine, options.level) }
    }
    let code: [UInt8]
    switch form {
    case .llvm, .optimised: code = Array(module.text.utf8)
    case .assembly: code = Array(try module.assembly(for: machine).utf8)
    case .object: code = try module.object(for: machine)
    }
    return (code, remarks)
  }

  /// Names the kernel in an error of LLVM.
  private func annotate(_ kernel: Graph, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as LLVMError {
      throw LoweringError(kernel: kernel.name, error.description)
    }
  }
}
