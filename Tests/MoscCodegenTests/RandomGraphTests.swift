import MoscCodegen
import MoscFuzz
import MoscIR
import MoscLLVM
import MoscPasses
import Testing

/// Seeded random functions through all passes: the compiled kernels against the evaluator.
@Suite struct RandomGraphTests {
  static let graphsPerBatch = 42
  static let batches = 12

  /// Each kernel gets the evaluator's inputs, so that bounds need not grow along a function.
  static func bounds(_ kernel: Graph) -> KernelHarness.Bounds {
    // Attention of bf16 operands rounds its probabilities to bf16 too.
    let isCoarse = kernel.nodes.contains { node in
      if case .attention = node.op { kernel.type(node.operands[0]).dtype == .bf16 } else { false }
    }
    return isCoarse
      ? KernelHarness.Bounds(absolute: 2e-2, relative: 1e-2)
      : KernelHarness.Bounds(absolute: 2e-4, relative: 2e-4)
  }

  struct Program {
    var module: Module
    var inputs: [String: HostTensor]
    var weights: [String: HostTensor]
  }

  /// The function of a seed after the passes, at stage kernel.
  static func program(_ seed: UInt64, _ target: Target) throws -> (Program, Graph) {
    let generated = try GraphGenerator(seed: seed, size: 2 + Int(seed % 6))
    var module = Module(
      weights: [WeightsDeclaration(name: "w", path: "none")], graphs: [generated.graph])
    var context = PassContext(target: target, precision: seed % 4 == 3 ? .bf16 : .f32)
    var manager = PassManager(try Pipeline.inference(through: "fuse"))
    try manager.run(&module, &context)
    let values = KernelHarness.inputs(generated.graph, seed: seed)
    let names = generated.graph.parameters.map { generated.graph[$0].name }
    return (
      Program(
        module: module, inputs: Dictionary(uniqueKeysWithValues: zip(names, values)),
        weights: generated.weights), generated.graph
    )
  }

  /// Runs the functions of a program in order with the evaluator, and every kernel call compiled
  /// as well; returns the first disagreement.
  static func check(
    _ program: Program, _ kernels: [String: MoscCodegen.CompiledKernel], lanes: Int
  ) throws -> String? {
    let module = program.module
    let evaluator = Evaluator(module, weights: ["w": program.weights])
    var named = program.inputs
    for function in module.functions {
      var values = SideTable<ValueTag, HostTensor?>(default: nil)
      for id in function.parameters { values[id] = named[function[id].name] }
      for id in function.order {
        let node = function[id]
        let operands = node.operands.compactMap { values[$0] }
        var results: [HostTensor] = []
        if case .call(let call) = node.op {
          guard let kernel = module[call.name], let code = kernels[call.name] else {
            return "no kernel '\(call.name)'"
          }
          results = try evaluator.run(kernel, operands)
          if let problem = compare(kernel, code, operands, results, lanes) {
            return "\(problem)\n\(Printer.print(Module(stage: .kernel, graphs: [kernel])))"
          }
        } else {
          var single = Graph("single")
          let inputs = node.operands.map { single.parameter("p", function.type($0)) }
          single.results = single.appendUnchecked(
            node.op, inputs, types: node.results.map { function.type($0) })
          results = try evaluator.run(single, operands)
        }
        for (value, result) in zip(node.results, results) { values[value] = result }
      }
      for (i, id) in function.results.enumerated() {
        let label = i < function.resultNames.count ? function.resultNames[i] : function[id].name
        named[label] = values[id]
      }
    }
    return nil
  }

  private static func compare(
    _ kernel: Graph, _ code: MoscCodegen.CompiledKernel, _ operands: [HostTensor],
    _ expected: [HostTensor], _ lanes: Int
  ) -> String? {
    let typed = zip(kernel.parameters, operands).map { HostTensor(kernel.type($0), $1.elements) }
    let found = KernelHarness.run(
      kernel, code.function, tasks: code.taskCount, typed, lanes: lanes)
    let again = KernelHarness.run(
      kernel, code.function, tasks: code.taskCount, typed, lanes: lanes, .singlyBackwards)
    let bounds = bounds(kernel)
    for (result, want) in expected.enumerated() {
      for i in want.elements.indices {
        let (x, y) = (want.elements[i], found[result].elements[i])
        if again[result].elements[i] != y, !y.isNaN { return "the order of tasks shows" }
        if x == y || (x.isNaN && y.isNaN) { continue }
        if abs(x - y) <= bounds.allow(x, want.type.dtype) { continue }
        return "result \(result) \(want.type) element \(i): found \(y), expected \(x)"
      }
    }
    return nil
  }

  @Test(arguments: 0..<batches) func kernelsAgreeWithTheEvaluator(_ batch: Int) throws {
    let facts = KernelHarness.targets[batch % KernelHarness.targets.count]
    let target = Target(
      lanes: facts.lanes, vectorRegisters: facts.vectorRegisters, hasBF16Dot: facts.hasBF16Dot)
    let compiler = try KernelCompiler(CompilerOptions(facts: facts))
    for number in 0..<Self.graphsPerBatch {
      let seed = UInt64(batch * Self.graphsPerBatch + number)
      let (program, graph) = try Self.program(seed, target)
      var problem: String?
      do {
        let kernels = try compiler.compile(program.module)
        problem = try Self.check(program, kernels, lanes: facts.lanes)
      } catch let error as LoweringError {
        problem = error.description
      }
      #expect(
        problem == nil,
        "seed \(seed) for \(facts.cpu): \(problem ?? "")\n\(Printer.print(Module(graphs: [graph])))"
      )
    }
  }
}
