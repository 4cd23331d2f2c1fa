import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// What the ControlNets of a plan add to the U-Net, step by step.
final class ControlRun {
  private final class Net {
    let part: ControlConditions.Part
    /// The network, the predictions of a step that it takes part in, and the texts whose states it holds.
    var program: (shape: ControlNet.Shape, program: Program)?
    var texts: [String] = []

    init(_ part: ControlConditions.Part) { self.part = part }
  }

  private let plan: SamplePlan
  private let compiler: Compiler
  private let nets: [Net]
  /// What is added where nothing acts, by the number of predictions.
  private var zeros: [Int: [String: HostArray]] = [:]

  init(_ plan: SamplePlan, _ compiler: Compiler) {
    (self.plan, self.compiler) = (plan, compiler)
    nets = plan.controls.parts.map(Net.init)
  }

  /// The inputs of the U-Net that a step changes.
  ///
  /// - Parameter latents: what the U-Net reads of one prediction, `[n,h,w,c]`.
  func inputs(
    _ latents: HostArray, timestep: Double, step: Int, _ script: PromptScript, _ states: PromptStates
  ) throws -> [String: HostArray] {
    let rows = script.count * latents.shape[0]
    let active = nets.filter { $0.part.acts(step: step, of: plan.calls) }
    guard let first = nets.first else { return [:] }
    var sums: [String: [Float]] = [:]
    var shapes: [String: [Int]] = [:]
    for net in active {
      for (name, result) in try run(net, latents, timestep, step, script, states) {
        shapes[name] = [rows] + result.shape.dropFirst()
        let values = result.floats
        let size = result.shape.dropFirst().reduce(rows, *)
        if values.count == size, sums[name] == nil {
          sums[name] = values
          continue
        }
        // The predictions that it takes part in are the last ones.
        var sum = sums[name] ?? [Float](repeating: 0, count: size)
        let start = size - values.count
        sum.withUnsafeMutableBufferPointer { target in
          for index in values.indices { target[start + index] += values[index] }
        }
        sums[name] = sum
      }
    }
    if active.isEmpty {
      let nothing = try zeros[rows] ?? nothing(first, rows, script, states)
      zeros[rows] = nothing
      return nothing
    }
    return sums.reduce(into: [:]) { $0[$1.key] = HostArray($1.value, shape: shapes[$1.key] ?? []) }
  }

  /// Zeros for all inputs.
  private func nothing(
    _ net: Net, _ rows: Int, _ script: PromptScript, _ states: PromptStates
  ) throws -> [String: HostArray] {
    let shape = try shape(net, rows, script, states)
    return try net.part.model.resultShapes(shape).mapValues { shape in
      HostArray([Float](repeating: 0, count: shape.reduce(1, *)), shape: shape)
    }
  }

  private func shape(
    _ net: Net, _ rows: Int, _ script: PromptScript, _ states: PromptStates
  ) throws -> ControlNet.Shape {
    ControlNet.Shape(
      batch: rows, height: plan.latentHeight, width: plan.latentWidth,
      tokens: try states.tokens(script.allTexts), layers: states.layers)
  }

  private func run(
    _ net: Net, _ latents: HostArray, _ timestep: Double, _ step: Int, _ script: PromptScript,
    _ states: PromptStates
  ) throws -> [String: HostArray] {
    // The prompt of the picture alone: a ControlNet looks at the whole of it.
    var texts = script.texts(at: step).compactMap(\.first)
    if net.part.request.mode.sparesNegative, script.negative != nil { texts.removeFirst() }
    let count = latents.shape[0]
    let shape = try shape(net, texts.count * count, script, states)
    let program = try program(net, shape)
    if net.texts != texts {
      let contexts = try texts.map { try states.context([$0], tokens: shape.tokens) }
      try program.set([
        "encoder_hidden_states": .stacked(
          contexts.flatMap { [HostArray](repeating: $0, count: count) })
      ])
      net.texts = texts
    }
    return try program.run([
      "sample": .stacked([HostArray](repeating: latents, count: texts.count)),
      "timestep": HostArray(
        [Float](repeating: Float(timestep), count: shape.batch), shape: [shape.batch]),
    ])
  }

  private func program(_ net: Net, _ shape: ControlNet.Shape) throws -> Program {
    if let made = net.program, made.shape == shape { return made.program }
    net.program = nil
    net.texts = []
    let part = net.part
    let compiled = try compiler.unquantised.compile(
      part.model.module(shape), function: ControlNet.name)
    let program = try Program(
      compiled, weights: WeightFiles(part.model.weights), on: compiler, keepsPacked: true)
    let count = part.model.network.results
    let weights = part.request.mode.weights(count).map { Float($0 * part.request.strength) }
    try program.set([
      "image": try part.pixels(width: plan.width, height: plan.height, plan.picture?.frame),
      "strength": HostArray(weights, shape: [count]),
    ])
    net.program = (shape, program)
    return program
  }
}
