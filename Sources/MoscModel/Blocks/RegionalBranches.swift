import MoscFormats
import MoscIR

/// The branches of regional adapters in the U-Net that is being built, and the gates they read.
///
/// With g_a(p) the share of the regions that carry adapter a at position p of a layer's output,
/// `y_p = W x_p + Σ_a g_a(p) · B_a A_a x_p`. Keys and values of text belong to contexts, not to positions:
/// context r has the adapters of region r in full. The projection of the time, which has no positions, is
/// gated where it is added to the image.
struct RegionalBranches: Sendable {
  let adapters: RegionalAdapters
  /// The sizes of feature maps by number of positions; empty for a network without regions.
  var grids: [Int: (height: Int, width: Int)] = [:]
  /// Whether the energies of branches are summed up.
  var measures = false
  /// Sums of squares of what each slot adds to the image, `[n,slots,t]`, by number of positions.
  private(set) var energies: [Int: ValueID] = [:]
  /// The inputs so far.
  private var gates: [String: ValueID] = [:]

  init(_ adapters: RegionalAdapters) { self.adapters = adapters }

  /// Whether the result of a layer is added to an image whose positions gate it.
  private static func isShift(_ path: String) -> Bool { path.hasSuffix(".time_emb_proj") }

  /// Whether a layer makes keys or values of contexts.
  private static func isOfContexts(_ path: String) -> Bool {
    path.hasSuffix(".attn2.to_k") || path.hasSuffix(".attn2.to_v")
  }

  /// Appends the branch of a layer after its output, unless that has no positions.
  mutating func append(
    to base: ValueID, input: ValueID, _ path: String, _ shape: [Int], stride: Int = 1, pad: Int = 0,
    in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    if Self.isShift(path) { return base }
    return try branch(base, input, path, shape, stride, pad, in: &graph)
  }

  /// Appends the branch of a layer without positions, whose result was added to an image `[n,h,w,c]`.
  mutating func append(
    toShifted image: ValueID, embedding: ValueID, _ path: String, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let (samples, width) = (graph.type(embedding).shape[0], graph.type(embedding).lastExtent)
    guard adapters.ranks[path] != nil else { return image }
    let everywhere = try graph.reshape(embedding, to: [samples, 1, 1, width])
    return try branch(
      image, everywhere, path, [graph.type(image).lastExtent, width], 1, 0, in: &graph)
  }

  private mutating func branch(
    _ base: ValueID, _ input: ValueID, _ path: String, _ shape: [Int], _ stride: Int, _ pad: Int,
    in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    guard !grids.isEmpty, let rank = adapters.ranks[path] else { return base }
    let width = adapters.slots * rank
    let source = RegionalAdapters.declaration.name
    let name = "\(path).\(source)"
    let layer = LayerID(.unet, path)
    let down = try graph.param(
      AdapterTensor.factor(layer, .down).name, in: source, TensorType(.f32, [width] + shape.dropFirst()),
      name: "\(name).down")
    let ones = [Int](repeating: 1, count: shape.count - 2)
    let up = try graph.param(
      AdapterTensor.factor(layer, .up).name, in: source, TensorType(.f32, [shape[0], width] + ones),
      name: "\(name).up")
    let gate = try gate(of: base, path, in: &graph)
    if measures, RegionMeasure.isMeasured(path) {
      try measure(input, down: down, up: up, gate: gate, rank: rank, in: &graph)
    }
    return try graph.lora(
      base, input: input, down: down, up: up, scale: try graph.constant(1, .f32(1)), gate: gate,
      stride: stride, pad: pad, name: name)
  }

  /// Adds `Σ_o (B_a (g_a ⊙ A_a x))²` of every slot at every position: x `[n,t,i]`.
  private mutating func measure(
    _ input: ValueID, down: ValueID, up: ValueID, gate: ValueID, rank: Int, in graph: inout Graph
  ) throws(Diagnostic) {
    let positions = graph.type(gate).shape[0]
    guard positions <= RegionMeasure.mostPixels, graph.type(input).rank == 3 else { return }
    let middle = try graph.linear(input, weight: down)
    let samples = graph.type(input).shape[0]
    var parts: [ValueID] = []
    for slot in 0..<adapters.slots {
      let (from, to) = (slot * rank, (slot + 1) * rank)
      let share = try graph.reshape(
        try graph.slice(gate, axis: 1, from: slot, to: slot + 1), to: [1, positions, 1])
      let branch = try graph.linear(
        try graph.mul(try graph.slice(middle, axis: 2, from: from, to: to), share),
        weight: try graph.slice(up, axis: 1, from: from, to: to))
      let energy = try graph.reduceSum(try graph.mul(branch, branch), axes: [2])
      parts.append(try graph.reshape(energy, to: [samples, 1, positions]))
    }
    let all = parts.count == 1 ? parts[0] : try graph.concat(parts, axis: 1)
    energies[positions] = if let sum = energies[positions] { try graph.add(sum, all) } else { all }
  }

  private mutating func gate(
    of base: ValueID, _ path: String, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let positions = graph.type(base).shape.dropFirst().dropLast().reduce(1, *)
    let name: String
    let rate: Rate
    if Self.isOfContexts(path) {
      (name, rate) = (UNet.contextGateName, .prompt)
    } else {
      guard let grid = grids[positions] else {
        throw Diagnostic("model.gate", "'\(path)' has \(positions) positions, which no feature map has")
      }
      (name, rate) = (UNet.gateName(grid.height, grid.width), .step)
    }
    if let known = gates[name] { return known }
    let gate = graph.parameter(name, .f32(positions, adapters.slots), rate: rate)
    gates[name] = gate
    return gate
  }
}

extension UNet {
  /// The name of the input that gates branches at a resolution.
  package static func gateName(_ height: Int, _ width: Int) -> String { "gate.\(height)x\(width)" }

  /// The name of the input that says which adapters the keys and values of each context have.
  package static let contextGateName = "gate.contexts"
}
