import MoscIR
import MoscPasses
import Testing

@Suite struct PipelineTests {
  /// Inputs of the small denoiser.
  static func inputs(_ module: Module) -> [String: HostTensor] {
    guard let graph = module["unet"] else { return [:] }
    var result = Programs.inputs(of: graph, seed: 7)
    result["timestep"] = HostTensor(.f32(2), [801, 401])
    return result
  }

  @Test(arguments: [Target.avx512BF16, Target.avx2])
  func keepsTheValueOfTheDenoiser(_ target: Target) throws {
    let module = try Programs.denoiser()
    let weights = Programs.weights(of: module)
    let inputs = Self.inputs(module)
    let expected = try Programs.run(module, "unet", inputs: inputs, weights: weights)
    let stages = try Self.stages(of: module, PassContext(target: target))
    for (pass, changed) in target == .avx2 ? stages.suffix(1) : stages[...] {
      let found = try Programs.run(changed, "unet", inputs: inputs, weights: weights)
      let (a, b) = (try #require(found["noise_pred"]), try #require(expected["noise_pred"]))
      #expect(Programs.distance(a, b) < 1e-5, "after \(pass)")
    }
  }

  /// The module after each pass up to the last whose output the evaluator runs, all of one run.
  static func stages(
    of module: Module, _ context: PassContext
  ) throws -> [(pass: String, module: Module)] {
    var (module, context) = (module, context)
    var stages: [(pass: String, module: Module)] = []
    var manager = PassManager(try Pipeline.inference(through: Fuse.name))
    manager.options.after = { _, name, module in stages.append((name, module)) }
    try manager.run(&module, &context)
    return stages
  }

  /// The denoiser with a request for gradients by its inputs and two of its weights.
  static func training() throws -> Module {
    var module = try Programs.denoiser()
    var graph = try #require(module["unet"])
    let y = graph.results[0]
    let square = try graph.mul(y, y)
    let loss = try graph.reduceSum(square, axes: Array(graph.type(y).shape.indices))
    var wanted = graph.parameters.filter { graph[$0].name != "timestep" }
    wanted += graph.order.filter { graph[$0].op.tile == nil }.compactMap { id in
      let value = graph[id].results[0]
      guard case .cast = graph[id].op, graph.type(value).rank == 4 else { return nil }
      return value
    }.prefix(2)
    let gradients = try graph.gradient(loss, wanted)
    graph.results = [loss] + gradients
    graph.resultNames = ["loss"] + wanted.map { "d.\(graph[$0].name)" }
    module.graphs = [graph]
    return module
  }

  @Test func keepsTheGradientsOfTheDenoiser() throws {
    let module = try Self.training()
    let weights = Programs.weights(of: module)
    let inputs = Self.inputs(module)
    var expected: [String: HostTensor] = [:]
    let budgeted = PassContext(loadBudget: 0, stepBudget: 0)
    for (pass, changed) in try Self.stages(of: module, budgeted) {
      let found = try Programs.run(changed, "unet", inputs: inputs, weights: weights)
      if pass == Differentiate.name {
        expected = found
        continue
      }
      for name in module.graphs[0].resultNames {
        let (a, b) = (try #require(found[name]), try #require(expected[name]))
        #expect(Programs.distance(a, b) < 1e-5, "\(name) after \(pass)")
      }
    }
    #expect(expected.count > module.graphs[0].resultNames.count)
  }

  @Test func bf16StaysNear() throws {
    let module = try Programs.denoiser()
    let weights = Programs.weights(of: module)
    let inputs = Self.inputs(module)
    let expected = try Programs.run(module, "unet", inputs: inputs, weights: weights)
    var changed = module
    var context = PassContext(precision: .bf16)
    var manager = PassManager(try Pipeline.inference(through: "fuse"))
    try manager.run(&changed, &context)
    let found = try Programs.run(changed, "unet", inputs: inputs, weights: weights)
    let (a, b) = (try #require(found["noise_pred"]), try #require(expected["noise_pred"]))
    let distance = Programs.distance(a, b)
    #expect(distance < 5e-2)
    #expect(distance > 1e-6, "nothing was cast")
  }

  @Test(arguments: [DType.f32, .bf16])
  func reachesStageBufferTwice(_ precision: DType) throws {
    var module = try Programs.denoiser()
    var context = PassContext(precision: precision)
    var manager = PassManager(try Pipeline.inference())
    manager.options.after = { _, name, module in
      let text = Printer.print(module)
      let again = try? Parser.parse(text)
      #expect(again.map(Printer.print) == text, "after \(name)")
    }
    try manager.run(&module, &context)
    #expect(module.stage == .buffer)
    manager.options.after = nil
    let text = Printer.print(module)
    for pass in [Bufferise.name, PlanMemory.name] {
      manager = PassManager(try Pipeline.parse(pass))
      try manager.run(&module, &context)
    }
    #expect(Printer.print(module) == text)
    #expect(Printer.print(try Parser.parse(text)) == text)
  }
}
