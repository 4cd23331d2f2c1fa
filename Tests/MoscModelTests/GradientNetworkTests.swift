import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscReport
import TestSupport
import Testing

/// The whole denoiser differentiated and compiled, against differences of its compiled forward
/// pass and against the evaluator.
@Suite(.serialized) struct GradientNetworkTests {
  /// The golden denoiser with `loss = Σ noise_pred · gy` and gradients by the sample, the text
  /// states and some weights.
  private func program(
    _ shape: UNet.Shape, weights names: [String]
  ) throws -> (program: ModelProgram, graph: Graph) {
    let base = try goldenBase().program(.unet(shape))
    var graph = base.function
    let y = graph.results[0]
    let gy = graph.parameter("gy", graph.type(y))
    let loss = try graph.reduceSum(try graph.mul(y, gy), axes: [0, 1, 2, 3])
    var wanted: [(String, ValueID)] = []
    for name in ["sample", "encoder_hidden_states"] {
      let id = try #require(graph.value(named: name))
      wanted.append((name, id))
    }
    for id in graph.order {
      guard case .param(let param) = graph[id].op, names.contains(param.name) else { continue }
      wanted.append((param.name, graph[id].results[0]))
    }
    #expect(wanted.count == names.count + 2)
    let gradients = try graph.gradient(loss, wanted.map(\.1))
    graph.results = [loss] + gradients
    graph.resultNames = ["loss"] + wanted.map { "grad.\($0.0)" }
    return (base, graph)
  }

  private func compiled(
    _ base: ModelProgram, _ graph: Graph, cpu: String = "native", loadBudget: Int? = nil,
    stepBudget: Int? = nil, precision: Precision = .f32
  ) throws -> Program {
    var module = base.module
    module.graphs = [graph]
    var options = CompilationOptions()
    options.cpu = cpu
    options.cacheFolder = SharedKernels.folder
    let compiler = try Compiler(options, precision: precision, .silent)
      .within(MemoryBudget(load: loadBudget, step: stepBudget))
    let files = Dictionary(
      uniqueKeysWithValues: base.module.weights.compactMap { declaration in
        base.file(declaration.name).map { (declaration.name, $0) }
      })
    return try Program(
      try compiler.compile(module, function: graph.name), weights: WeightFiles(files),
      on: compiler)
  }

  private func inputs(_ graph: Graph, seed: UInt64) -> [String: HostArray] {
    var state = seed
    var result: [String: HostArray] = [:]
    for id in graph.parameters {
      let type = graph.type(id)
      let values = (0..<type.count).map { _ -> Float in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int(state >> 40)) / Float(1 << 23) - 1
      }
      result[graph[id].name] = HostArray(values, shape: type.shape)
    }
    result["timestep"] = HostArray([Float(481)], shape: [graph.type(graph.parameters[1]).count])
    return result
  }

  static let weights = [
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight",
    "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight",
    "up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_out.0.weight",
    "down_blocks.1.resnets.0.conv1.weight", "up_blocks.1.upsamplers.0.conv.weight",
  ]

  /// The slope of the loss along a random direction of all inputs that have a gradient, by a
  /// difference quotient of the loss and by the gradients.
  @Test func slopeOfTheDenoiser() throws {
    let (base, graph) = try program(UNet.Shape(height: 16, width: 24), weights: Self.weights)
    let program = try compiled(base, graph)
    let at = inputs(graph, seed: 5)
    let gradients = try program.run(at)
    let direction = inputs(graph, seed: 11)
    var slope = 0.0
    for name in ["sample", "encoder_hidden_states"] {
      let gradient = try #require(gradients["grad.\(name)"])
      let move = try #require(direction[name])
      for (g, d) in zip(gradient.floats, move.floats) { slope += Double(g) * Double(d) }
    }
    func loss(_ step: Float) throws -> Double {
      var moved = at
      for name in ["sample", "encoder_hidden_states"] {
        let (from, move) = (try #require(at[name]), try #require(direction[name]))
        moved[name] = HostArray(
          zip(from.floats, move.floats).map { $0 + step * $1 }, shape: from.shape)
      }
      return Double(try #require(try program.run(moved)["loss"]).floats[0])
    }
    let step: Float = 2e-3
    let quotient = (try loss(step) - loss(-step)) / Double(2 * step)
    #expect(abs(quotient - slope) < 2e-3 * abs(slope), "\(quotient) by differences, \(slope) found")
  }

  /// Compiled gradients of inputs and weights against the evaluator on the differentiated graph.
  @Test(arguments: ["native", "x86-64-v3"])
  func agreesWithTheEvaluator(cpu: String) throws {
    let (base, graph) = try program(
      UNet.Shape(height: 8, width: 8, tokens: 3), weights: Self.weights)
    let at = inputs(graph, seed: 3)
    let found = try compiled(base, graph, cpu: cpu).run(at)
    var module = base.module
    module.graphs = [graph]
    let expected = try Self.evaluated(module, base, graph, at)
    for (name, value) in zip(graph.resultNames, expected) {
      let result = try #require(found[name])
      let tensor = HostTensor(value.type, result.floats.map(Double.init))
      #expect(relativeError(tensor, value) < 2e-5, "\(name)")
    }
  }

  /// Weights of the backward pass that are rearranged in each step are the same numbers, and
  /// take less memory.
  @Test func recomputedPanelsChangeNothing() throws {
    let (base, graph) = try program(UNet.Shape(height: 8, width: 8, tokens: 3), weights: [])
    let at = inputs(graph, seed: 7)
    let (kept, anew) = (
      try compiled(base, graph), try compiled(base, graph, loadBudget: 0)
    )
    #expect(try kept.run(at) == anew.run(at))
    #expect(anew.loadBytes * 10 < kept.loadBytes * 7)
  }

  /// Activations that are computed again are the same numbers, and take less memory.
  @Test func recomputedActivationsChangeNothing() throws {
    let (base, graph) = try program(UNet.Shape(height: 32, width: 32), weights: Self.weights)
    let at = inputs(graph, seed: 9)
    let (kept, anew) = (
      try compiled(base, graph), try compiled(base, graph, stepBudget: 0)
    )
    let (a, b) = (try kept.run(at), try anew.run(at))
    for name in graph.resultNames {
      let (x, y) = (try #require(a[name]), try #require(b[name]))
      let types = TensorType(.f32, x.shape)
      let error = relativeError(
        HostTensor(types, y.floats.map(Double.init)), HostTensor(types, x.floats.map(Double.init)))
      #expect(error < 1e-6, "\(name)")
    }
    #expect(anew.arenaBytes * 10 < kept.arenaBytes * 9)
  }

  /// In bf16 the gradients stay near those in f32.
  @Test func bf16StaysNear() throws {
    let (base, graph) = try program(UNet.Shape(height: 16, width: 16), weights: Self.weights)
    let at = inputs(graph, seed: 9)
    let exact = try compiled(base, graph).run(at)
    let rough = try compiled(base, graph, loadBudget: 0, precision: .bf16).run(at)
    for name in graph.resultNames.dropFirst() {
      let (x, y) = (try #require(exact[name]), try #require(rough[name]))
      let types = TensorType(.f32, x.shape)
      let error = relativeError(
        HostTensor(types, y.floats.map(Double.init)), HostTensor(types, x.floats.map(Double.init)))
      #expect(error < 5e-2, "\(name)")
      #expect(error > 1e-5, "\(name)")
    }
  }

  private static func evaluated(
    _ module: Module, _ base: ModelProgram, _ graph: Graph, _ inputs: [String: HostArray]
  ) throws -> [HostTensor] {
    let plain = try graph.differentiated()
    let values = try plain.parameters.map { id in
      let input = try #require(inputs[plain[id].name])
      return HostTensor(plain.type(id), input.floats.map(Double.init))
    }
    var files: [String: any WeightSource] = [:]
    for declaration in base.module.weights { files[declaration.name] = base.file(declaration.name) }
    return try evaluate(plain, values, files)
  }
}

extension Graph {
  /// The graph with its requests for gradients differentiated.
  func differentiated() throws -> Graph {
    try rebuilt { (id, operands, new) throws(Diagnostic) -> [ValueID]? in
      guard case .gradient = self[id].op else { return nil }
      let seed = try new.constant(1, new.type(operands[0]))
      let wanted = Array(operands.dropFirst())
      let found = try new.backpropagate([(operands[0], seed)], to: wanted, through: new.order)
      return found.gradients.compactMap { $0 }
    }
  }
}
