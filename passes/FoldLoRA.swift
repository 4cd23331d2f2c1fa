import MoscIR

/// Replaces adapter branches by layers over weights merged at load time.
///
/// `lora(linear(x, W, b), x, down, up, scale)` becomes `linear(x, lora_merge(W, down, up, scale),
/// b)`, and so for convolutions of equal stride and padding; stacked adapters fold one after the
/// other.
///
/// - Stage: tensor → tensor.  Needs: rates.  Keeps: every result within rounding.
/// - Refuses: adapters or weights not known at load (`fold-lora.trainable`), a base that is not the
///   layer itself (`fold-lora.base`), a base with other users (`fold-lora.shared`), another input
///   (`fold-lora.input`), other stride or padding (`fold-lora.geometry`), a branch that acts in parts of the
///   picture only (`fold-lora.gate`).
/// - Order: before `choose-kernels`, so that one kernel is chosen for the merged layer.
package struct FoldLoRA: Pass {
  package static let name = "fold-lora"
  package static let stages = (from: Stage.tensor, to: Stage.tensor)
  package static let isOptional = true

  package init(_ options: inout PassOptions) {}

  package func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      let graph = module.graphs[index]
      let users = graph.users()
      var folded = try graph.rebuilt { (id, operands, new) throws(Diagnostic) -> [ValueID]? in
        guard case .lora(let lora) = graph[id].op else { return nil }
        let name = graph[graph[id].results[0]].name
        let base = graph[id].operands[0]
        let isShared = users[base].count > 1 || graph.results.contains(base)
        if let (reason, message) = refusal(lora, operands, isShared, in: new) {
          context.remark(reason, "adapter '%\(name)' is not folded: \(message)")
          return nil
        }
        guard let layer = new.producer(operands[0]) else { return nil }
        let (op, inputs) = (new[layer].op, new[layer].operands)
        let merged = try new.loraMerge(
          inputs[1], down: operands[2], up: operands[3], scale: operands[4])
        let result = try new.emit(op, [inputs[0], merged] + inputs.dropFirst(2), name: name)
        new[merged].rate = .load
        new[result].rate = graph[graph[id].results[0]].rate
        context.count("folded")
        return [result]
      }
      folded.removeDeadNodes()
      module.graphs[index] = folded
    }
  }

  /// Why the adapter cannot be folded, or nil when it can.
  private func refusal(
    _ lora: Lora, _ operands: [ValueID], _ isShared: Bool, in graph: Graph
  ) -> (reason: String, message: String)? {
    if operands.count > 5 {
      return ("gate", "'%\(graph[operands[5]].name)' decides where it acts")
    }
    guard let layer = graph.producer(operands[0]) else {
      return ("base", "its base is a parameter")
    }
    let node = graph[layer]
    switch node.op {
    case .linear:
      break
    case .conv2d(let conv):
      if conv.stride != lora.stride || conv.pad != lora.pad {
        return (
          "geometry",
          "the layer has stride \(conv.stride) and pad \(conv.pad), "
            + "the adapter stride \(lora.stride) and pad \(lora.pad)"
        )
      }
    default:
      return ("base", "its base is made by '\(node.op.mnemonic)', not by a layer")
    }
    if node.operands[0] != operands[1] {
      return (
        "input",
        "the layer reads '%\(graph[node.operands[0]].name)', "
          + "the adapter '%\(graph[operands[1]].name)'"
      )
    }
    if isShared { return ("shared", "'%\(graph[operands[0]].name)' has other users") }
    for value in [node.operands[1]] + operands[2...] where graph[value].rate != .load {
      return ("trainable", "'%\(graph[value].name)' is only known per \(graph[value].rate.name)")
    }
    return nil
  }
}
