import Foundation
import MoscIR
import MoscPasses

/// The memory a module of stage buffer will take, known before anything runs.
package struct MemoryPlan: Hashable, Sendable {
  /// The memory of one function.
  package struct Part: Hashable, Sendable {
    package var name: String
    /// Weights read from mapped files.
    package var weightBytes = 0
    /// Parameters and results.
    package var externalBytes = 0
    package var outputBytes = 0
    package var arenaBytes = 0
    package var launches = 0
  }

  package let parts: [Part]

  package init(_ module: Module) {
    parts = module.functions.map { graph in
      var part = Part(name: graph.name)
      let outputs = graph.outputParameters
      for id in graph.parameters {
        let bytes = graph.type(id).byteCount()
        if outputs.contains(id) { part.outputBytes += bytes } else { part.externalBytes += bytes }
      }
      for id in graph.order {
        switch graph[id].op {
        case .param(let weight): part.weightBytes += weight.type.byteCount()
        case .arena(let arena): part.arenaBytes += arena.byteCount
        case .launch: part.launches += 1
        default: break
        }
      }
      return part
    }
  }

  /// The bytes in use while the step function runs: what load left, weights read in place, inputs,
  /// results and the arena.
  package var steadyBytes: Int {
    let load = parts.first { $0.name.hasSuffix(".load") }?.outputBytes ?? 0
    let others = parts.filter { !$0.name.hasSuffix(".load") }
    let arena = others.map(\.arenaBytes).max() ?? 0
    let weights = others.map(\.weightBytes).max() ?? 0
    return load + arena + weights + others.reduce(0) { $0 + $1.outputBytes }
  }

  /// A table with one line per function.
  package var text: String {
    func mib(_ bytes: Int) -> String { String(format: "%9.1f", Double(bytes) / 1_048_576) }
    var lines = ["  weights    inputs   results     arena  launches  function (MiB)"]
    for part in parts {
      lines.append(
        mib(part.weightBytes) + " " + mib(part.externalBytes) + " " + mib(part.outputBytes) + " "
          + mib(part.arenaBytes) + String(format: "  %8d  ", part.launches) + "@\(part.name)")
    }
    lines.append("while steps run: \(mib(steadyBytes).drop { $0 == " " }) MiB")
    return lines.joined(separator: "\n") + "\n"
  }
}
