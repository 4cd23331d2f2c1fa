import Dispatch
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscRuntime

/// A network that sums up what some of its layers read while it runs.
///
/// Each run leaves the moments of its own inputs in memory that the kernels write; they are added to
/// the sums at once, so activations are never kept.
final class MeasuringProgram {
  private let program: Program
  private let buffers: [(layers: [String], buffer: AlignedBuffer, width: Int, rows: Int)]
  private(set) var sums: [MomentSum]
  private let threads: Int

  /// - Parameter layers: layers of the function's network.
  init(
    _ components: ModelComponents, _ function: ModelFunction, measuring layers: [FusionLayer]
  ) throws {
    // Thousands of rows of a U-Net average rounding out; the few of a prompt are solved to the last bit.
    let chunk = function.kind == .unet ? 64 : 1
    let source = try components.model.program(
      function, measuring: MeasuredLayers(Set(layers.map(\.path)), chunk: chunk))
    let graph = source.function
    let names = Dictionary(layers.map { ($0.path, $0.id) }, uniquingKeysWith: { first, _ in first })
    var buffers: [(layers: [String], buffer: AlignedBuffer, width: Int, rows: Int)] = []
    var memory: [String: AlignedBuffer] = [:]
    for (index, paths) in source.moments.enumerated() {
      let name = ResultName.moments(index)
      guard let position = graph.resultNames.firstIndex(of: name) else { continue }
      let id = graph.results[position]
      let type = graph.type(id)
      let buffer = try AlignedBuffer(byteCount: type.byteCount())
      memory[name] = buffer
      let width = type.shape[0]
      buffers.append(
        (paths.compactMap { names[$0] }, buffer, width, graph.inputs(of: id) / width))
    }
    self.buffers = buffers
    threads = max(1, components.compiler.target.threads)
    sums = buffers.map { MomentSum(width: $0.width) }
    let compiled = try components.compiler.unquantised
      .compile(source.module, function: graph.name)
    program = try Program(
      compiled, weights: WeightFiles(source), on: components.compiler, memory: memory)
  }

  /// Gives inputs that stay until they are given again.
  func set(_ inputs: [String: HostArray]) throws { try program.set(inputs) }

  /// Runs the network and adds what its layers read.
  ///
  /// - Parameter weight: how often the inputs count.
  func run(_ inputs: [String: HostArray], weight: Int = 1) throws -> [String: HostArray] {
    let results = try program.run(inputs)
    let (buffers, threads) = (buffers, threads)
    sums.withUnsafeMutableBufferPointer { sums in
      // Each sum is one thread's alone.
      nonisolated(unsafe) let sums = sums
      DispatchQueue.concurrentPerform(iterations: threads) { thread in
        for index in stride(from: thread, to: buffers.count, by: threads) {
          let buffer = buffers[index].buffer
          withExtendedLifetime(buffer) {
            if let start = UnsafePointer(buffer.floats.baseAddress) {
              sums[index].add(start, rows: buffers[index].rows, weight: weight)
            }
          }
        }
      }
    }
    return results
  }

  /// The sums so far.
  var moments: ConceptMoments {
    ConceptMoments(sums: zip(buffers, sums).map { ($0.layers, $1) })
  }
}

extension Graph {
  /// The number of elements that the op behind a value reads.
  fileprivate func inputs(of id: ValueID) -> Int {
    for node in order where self[node].results.contains(id) {
      return self[node].operands.first.map { type($0).count } ?? 0
    }
    return 0
  }
}

extension ConceptMoments {
  /// Adds the moments of the same layers.
  mutating func add(_ other: ConceptMoments) {
    guard !sums.isEmpty else {
      self = other
      return
    }
    for (layers, sum) in other.sums {
      if let index = sums.firstIndex(where: { $0.layers == layers }) {
        sums[index].sum.add(sum)
      } else {
        sums.append((layers, sum))
      }
    }
  }

  /// Whether all are finite numbers.
  var isFinite: Bool { sums.allSatisfy { $0.sum.values.allSatisfy(\.isFinite) } }
}
