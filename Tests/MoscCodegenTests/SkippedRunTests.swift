import MoscCodegen
import MoscIR
import MoscLLVM
import Testing

/// What gates close, and products with runs of zeros, are left out of contractions.
@Suite struct SkippedRunTests {
  struct Case: CustomTestStringConvertible {
    let name: String
    /// Positions of a sample, and the coefficients of a slot.
    let positions, run: Int
    let slots: Int
    let text: String
    var testDescription: String { name }
  }

  /// Gated coefficients: panels that are slots, hold several, lie askew, or are parts of one; and a
  /// convolution. Depth is cut, and samples are no whole tiles.
  static let gated: [Case] = [
    Case(
      name: "a panel per slot", positions: 24, run: 16, slots: 4,
      text: """
        kernel @k(%x: bf16[2,24,48], %w: bf16[64,48]@panel16, %g: f32[24,4]) -> (bf16[2,24,64]) {
          %y = lora_down(%x, weight: %w, gate: %g, tile: [4, 16, 8, 32, 16]) : f32[2,24,64]
          %c = cast(%y) : bf16[2,24,64]
          return %c
        }
        """),
    Case(
      name: "two slots in a panel", positions: 13, run: 8, slots: 4,
      text: """
        kernel @k(%x: f32[2,13,20], %w: f32[32,20]@panel16, %g: f32[13,4]) -> (f32[2,13,32]) {
          %y = lora_down(%x, weight: %w, gate: %g, tile: [4, 16, 8, 16, 640]) : f32[2,13,32]
          return %y
        }
        """),
    Case(
      name: "slots askew", positions: 30, run: 24, slots: 4,
      text: """
        kernel @k(%x: bf16[1,30,32], %w: bf16[96,32]@panel32, %g: f32[30,4]) -> (f32[1,30,96]) {
          %y = lora_down(%x, weight: %w, gate: %g, tile: [4, 32, 12, 64, 640]) : f32[1,30,96]
          return %y
        }
        """),
    Case(
      name: "a slot in parts", positions: 16, run: 64, slots: 2,
      text: """
        kernel @k(%x: f32[2,16,40], %w: f32[128,40]@panel32, %g: f32[16,2]) -> (f32[2,16,128]) {
          %y = lora_down(%x, weight: %w, gate: %g, tile: [8, 32, 16, 64, 16]) : f32[2,16,128]
          return %y
        }
        """),
    Case(
      name: "a convolution", positions: 30, run: 16, slots: 4,
      text: """
        kernel @k(%x: bf16[2,8,7,16], %w: bf16[64,16,3,3]@panel16, %g: f32[30,4]) -> (f32[2,6,5,64]) {
          %y = lora_down(%x, weight: %w, gate: %g, tile: [4, 16, 8, 16, 640]) : f32[2,6,5,64]
          return %y
        }
        """),
  ]

  /// Branches over such coefficients: added to a layer, and alone.
  static let raised: [Case] = [
    Case(
      name: "added to a layer", positions: 24, run: 16, slots: 4,
      text: """
        kernel @k(%m: bf16[2,24,64], %u: bf16[48,64]@panel16, %x: bf16[2,24,32], %w: bf16[48,32]@panel16, %b: f32[48]) -> (f32[2,24,48]) {
          %l = linear(%x, weight: %w, bias: %b, tile: [4, 16, 8, 32, 640]) : f32[2,24,48]
          %a = linear(%m, weight: %u, skip: 16, tile: [4, 16, 8, 32, 16]) : f32[2,24,48]
          %y = add(%l, %a) : f32[2,24,48]
          return %y
        }
        """),
    Case(
      name: "added to a convolution, samples no whole tiles", positions: 21, run: 20, slots: 2,
      text: """
        kernel @k(%m: f32[2,3,7,40], %u: f32[33,40,1,1]@panel16, %x: f32[2,3,7,12], %w: f32[33,12,1,1]@panel16) -> (f32[2,3,7,33]) {
          %l = conv2d(%x, weight: %w, stride: 1, pad: 0, tile: [4, 16, 8, 16, 640]) : f32[2,3,7,33]
          %a = conv2d(%m, weight: %u, stride: 1, pad: 0, skip: 20, tile: [4, 16, 8, 16, 20]) : f32[2,3,7,33]
          %y = add(%l, %a) : f32[2,3,7,33]
          return %y
        }
        """),
    Case(
      name: "alone", positions: 24, run: 16, slots: 4,
      text: """
        kernel @k(%m: bf16[2,24,64], %u: bf16[48,64]@panel16, %b: f32[48]) -> (f32[2,24,48]) {
          %y = linear(%m, weight: %u, bias: %b, skip: 16, tile: [4, 16, 8, 32, 16]) : f32[2,24,48]
          return %y
        }
        """),
  ]

  /// The slot that is open at a position: side by side, and the last slot nowhere.
  private static func slot(_ position: Int, _ test: Case) -> Int {
    position * (test.slots - 1) / test.positions
  }

  private func graph(_ test: Case) throws -> Graph {
    try #require(try Parser.parse("mosc 1\nstage kernel\n" + test.text).kernels.first)
  }

  /// The weights with another number in all that belongs to the slot that is open nowhere.
  private func spoilt(
    _ weight: HostTensor, isIn: (_ row: Int, _ channel: Int) -> Bool, _ number: Double
  ) -> HostTensor {
    HostTensor(weight.type) { index in isIn(index[0], index[1]) ? number : weight[index] }
  }

  /// Compares with the evaluator; then nothing depends on what a closed slot holds, which a product with
  /// infinity would tell.
  private func check(
    _ graph: Graph, _ inputs: [HostTensor], spoiling numbers: [Double] = [1e30, -0.0, .infinity],
    isIn: (Int, Int) -> Bool
  ) throws {
    for facts in KernelHarness.targets {
      let compiler = try KernelCompiler(CompilerOptions(facts: facts))
      let kernel = try #require(try compiler.compile([graph])[graph.name])
      func run(_ inputs: [HostTensor]) -> [Double] {
        KernelHarness.run(
          graph, kernel.function, tasks: kernel.taskCount, inputs, lanes: facts.lanes)[0].elements
      }
      let expected = try Evaluator(Module(stage: .kernel, graphs: [graph])).run(graph, inputs)[0]
      let found = run(inputs)
      let bounds = KernelHarness.Bounds(absolute: 2e-4, relative: 1e-5)
      for (x, y) in zip(expected.elements, found) {
        #expect(abs(x - y) <= bounds.allow(x, expected.type.dtype), "\(facts.cpu): found \(y), expected \(x)")
      }
      for number in numbers {
        var other = inputs
        other[1] = spoilt(inputs[1], isIn: isIn, number)
        #expect(run(other) == found, "\(facts.cpu), \(number)")
      }
    }
  }

  @Test(arguments: gated) func closedGates(_ test: Case) throws {
    let graph = try graph(test)
    var inputs = KernelHarness.inputs(graph, seed: 3)
    // A position at which all are closed, and one at which two are half open.
    inputs[2] = HostTensor(inputs[2].type) { index in
      let own = Self.slot(index[0], test)
      if index[0] == 2 { return 0 }
      if index[0] == 5 { return index[1] < test.slots - 1 ? 0.5 : 0 }
      return index[1] == own ? 1 : index[0] % 2 == 0 ? 0 : -0.0
    }
    // A panel that open slots share is computed.
    var numbers = [1e30, -0.0]
    if case .panel(let width) = inputs[1].type.layout, test.run % width == 0 { numbers.append(.infinity) }
    try check(graph, inputs, spoiling: numbers) { row, _ in row >= (test.slots - 1) * test.run }
  }

  @Test(arguments: raised) func runsOfZeros(_ test: Case) throws {
    let graph = try graph(test)
    var inputs = KernelHarness.inputs(graph, seed: 4)
    let (middle, width) = (inputs[0], test.slots * test.run)
    var element = -1
    inputs[0] = HostTensor(middle.type) { index in
      element += 1
      let (position, own) = (element / width % test.positions, element % width / test.run)
      return own == Self.slot(position, test) ? middle[index] : position % 2 == 0 ? 0 : -0.0
    }
    try check(graph, inputs) { _, channel in channel >= (test.slots - 1) * test.run }
  }
}
