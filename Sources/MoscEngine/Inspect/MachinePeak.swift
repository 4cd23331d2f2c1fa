import Foundation
import MoscIR
import MoscPasses
import MoscReport
import MoscRuntime

/// What this machine can do at best, measured with compiled kernels: the roof of profiles.
package struct MachinePeak: Sendable {
  /// Floating-point operations a second of contractions in the precision compiled for.
  package let flopsPerSecond: Double
  /// Bytes a second read from memory that no cache holds.
  package let bytesPerSecond: Double

  package init(flopsPerSecond: Double, bytesPerSecond: Double) {
    self.flopsPerSecond = flopsPerSecond
    self.bytesPerSecond = bytesPerSecond
  }

  /// Takes the best of several runs of a product that stays in the caches, and of a sum that does not.
  package init(_ compiler: Compiler) throws {
    let product = try Self.product(compiler.target)
    let sum = try Self.sum()
    let best = try compiler.bestSeconds(of: [product, sum], runs: 12)
    flopsPerSecond = Double(Work(of: product).flops) / best[0]
    bytesPerSecond = Double(Work(of: sum).bytes) / best[1]
  }

  /// The least seconds that the work takes.
  package func seconds(_ work: Work) -> Double {
    max(Double(work.flops) / flopsPerSecond, Double(work.bytes) / bytesPerSecond)
  }

  private static func product(_ target: CompilationTarget) throws -> Graph {
    let (rows, columns, depth) = (1024, 640, 640)
    let dtype = target.contractionType
    let tile = Tile.choose(
      for: target.passTarget, dtype: dtype, rows: rows, columns: columns, depth: depth)
    var graph = Graph("product", kind: .kernel)
    let x = graph.parameter("x", TensorType(dtype, [rows, depth]))
    let w = graph.parameter(
      "w", TensorType(dtype, [columns, depth], layout: .panel(tile.columns)))
    graph.results = [try graph.emit(.linear(Linear(tile: tile)), [x, w])]
    return graph
  }

  private static func sum() throws -> Graph {
    var graph = Graph("sum", kind: .kernel)
    let x = graph.parameter("x", .f32(1024, 65_536))
    graph.results = [try graph.reduceSum(x, axes: [1])]
    return graph
  }
}

extension Compiler {
  /// The shortest of some runs of each kernel over zeroed memory, in seconds.
  func bestSeconds(of kernels: [Graph], runs: Int) throws -> [Double] {
    let compiled = try compileKernels(kernels)
    return try kernels.map { graph in
      guard let kernel = compiled[graph.name] else {
        throw CommandError.failure("'@\(graph.name)' was not compiled")
      }
      let buffers = try (graph.parameters + graph.results).map {
        let buffer = try AlignedBuffer(byteCount: graph.type($0).byteCount())
        // Untouched pages are all one page of zeros, which a cache holds.
        memset(buffer.address, 0, buffer.byteCount)
        return buffer
      }
      let executable = Executable(
        name: graph.name,
        launches: [
          LaunchRecord(kernel: kernel, arguments: buffers.indices.map { .external($0) })
        ], arenaBytes: 0, externalCount: buffers.count)
      var best = Double.infinity
      for _ in 0..<runs {
        let start = Clock.now()
        try executable.run(externals: buffers.map(\.address), arena: nil, pool: pool)
        best = min(best, Clock.now() - start)
      }
      return best
    }
  }
}
