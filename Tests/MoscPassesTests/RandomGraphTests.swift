import MoscFuzz
import MoscIR
import MoscPasses
import Testing

/// Passes against no passes on random graphs; the seed in a failure's name remakes its graph.
@Suite struct RandomGraphTests {
  @Test(arguments: [UInt64](0..<150))
  func passesKeepTheValue(_ seed: UInt64) throws {
    let generated = try GraphGenerator(seed: seed, size: 4 + Int(seed % 20), mixesRates: true)
    var module = generated.module
    let labels = generated.graph.resultLabels
    module.graphs[0].resultNames = labels
    let weights = ["w": generated.weights]
    let inputs = Programs.inputs(of: generated.graph, seed: seed + 1000)
    let expected = try Programs.run(module, "f", inputs: inputs, weights: weights)

    var changed = module
    var context = PassContext(target: seed % 2 == 0 ? .avx512BF16 : .avx2)
    var manager = PassManager(try Pipeline.inference(through: "fuse"))
    try manager.run(&changed, &context)
    let found = try Programs.run(changed, "f", inputs: inputs, weights: weights)
    for name in labels {
      let (a, b) = (try #require(found[name]), try #require(expected[name]))
      #expect(a.type == b.type)
      let distance = Programs.distance(a, b)
      #expect(distance < 1e-4, "\(name) of seed \(seed):\n\(Printer.print(module))")
    }
    // Contractions read only parameters through views, and every kernel has one result.
    for kernel in changed.kernels {
      #expect(kernel.results.count == 1)
      for id in kernel.order where kernel[id].op.traits.contains(.contraction) {
        for operand in kernel[id].operands { #expect(reachesParameter(operand, kernel)) }
      }
    }
    manager = PassManager(try Pipeline.parse("bufferise,plan-memory"))
    try manager.run(&changed, &context)
  }

  private func reachesParameter(_ value: ValueID, _ kernel: Graph) -> Bool {
    guard let producer = kernel.producer(value) else { return true }
    switch kernel[producer].op {
    case .reshape, .slice: return reachesParameter(kernel[producer].operands[0], kernel)
    case .constant: return true
    default: return false
    }
  }
}
