import MoscIR
import MoscReport
import MoscRuntime

extension CompiledFunction {
  /// The bytes that a program of the function takes: what load leaves, inputs, results, and the largest
  /// arena.
  package var memoryBytes: Int {
    let parts = [load, prompt, step].compactMap { $0 }
    let results = parts.reduce(0) { sum, part in part.outputs.reduce(sum) { $0 + $1.type.byteCount() } }
    let arena = parts.map(\.executable.arenaBytes).max() ?? 0
    return parameters.reduce(results + arena) { $0 + $1.type.byteCount() }
  }
}

extension Compiler {
  /// Refuses a function that needs more memory than there may be, before any is taken.
  ///
  /// - Throws: `CommandError.failure` with both numbers.
  package func checkMemory(of function: CompiledFunction) throws {
    let needed = function.memoryBytes
    let limit = options.memoryLimit ?? ProcessFacts.memoryBytes
    guard let limit, needed > limit else { return }
    let allowed = options.memoryLimit == nil ? "this machine has" : "--max-ram allows"
    throw CommandError.failure(
      "the network '\(function.name)' needs \(ByteSize.text(needed)) of memory for this size, \(allowed) "
        + "\(ByteSize.text(limit))")
  }
}
