import Foundation
import MoscIR
import MoscLLVM

/// A kernel that can be called, and what it took to get it.
package struct CompiledKernel: Sendable {
  /// The kernel's name without sigil.
  package let name: String
  /// The machine code: argument pointers, first task, end of tasks.
  package let function: KernelFunction
  /// The number of independent tasks.
  package let taskCount: Int
  /// The size of the object file in bytes.
  package let objectBytes: Int
  /// The time spent writing LLVM IR, optimising it and emitting machine code.
  package let compileMilliseconds: Double
  /// The key of the object, which stands for everything that decides its bytes; nil without a cache.
  package let key: String?
  /// Whether the object came from the cache.
  package let isCached: Bool
  /// Cache entries that could not be used or written, one sentence each.
  package let warnings: [String]
  /// Why the code is slower than it might be.
  package let remarks: [CodeRemark]
}

/// The forms in which a kernel's code can be shown or saved.
package enum KernelArtifact: String, CaseIterable, Sendable {
  /// LLVM IR as written by the lowering.
  case llvm
  /// LLVM IR after the pass pipeline.
  case optimised = "llvm-opt"
  /// Assembly of the target.
  case assembly = "asm"
  /// A relocatable object file.
  case object = "obj"
}

/// Options of a compilation.
package struct CompilerOptions: Sendable {
  /// The processor that code is generated for.
  package var facts: TargetFacts
  /// The number of threads that compile.
  package var threads: Int
  /// The object cache, or nil to compile everything.
  package var cache: ObjectCache?
  /// How much LLVM does.
  package var level: CodeLevel
  /// A folder for the text of kernels, into which line tables point; nil for code without them.
  package var sourceFolder: URL?

  package init(
    facts: TargetFacts, threads: Int = 1, cache: ObjectCache? = nil, level: CodeLevel = .lean,
    sourceFolder: URL? = nil
  ) {
    self.sourceFolder = sourceFolder
    self.level = level
    self.facts = facts
    self.threads = threads
    self.cache = cache
  }
}

/// What a compilation did, for the user and for tests.
package struct CompilerStatistics: Hashable, Sendable {
  package var kernels = 0
  package var cacheHits = 0
  package var cacheMisses = 0
  package var objectBytes = 0
  /// The sum over all threads.
  package var compileMilliseconds = 0.0

  package init() {}

  /// One sentence with the figures.
  package var explanation: String {
    let time = (compileMilliseconds / 100).rounded() / 10
    return "\(kernels) kernels, \(cacheHits) from the object cache, \(cacheMisses) compiled in "
      + "\(time) s of processor time, \((objectBytes + 1023) / 1024) KiB of objects"
  }
}
