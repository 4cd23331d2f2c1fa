import MoscEngine
import MoscFormats
import MoscIR
import MoscReport
import RunSupport
import TestSupport
import Testing

/// A `.mos` program that requests gradients, run by the evaluator and compiled.
@Suite struct GradientRunTests {
  static let text = """
    mosc 1
    stage tensor
    func @f(%x: f32[3,20], %w: f32[18,20], %gy: f32[3,18]) -> (loss: f32[1,1], dx: f32[3,20], dw: f32[18,20]) {
      %h = linear(%x, weight: %w) : f32[3,18]
      %y = gelu(%h) : f32[3,18]
      %p = mul(%y, %gy) : f32[3,18]
      %loss = reduce_sum(%p, axes: [0, 1]) : f32[1,1]
      %dx, %dw = gradient(%loss, %x, %w) : f32[3,20], f32[18,20]
      return %loss, %dx, %dw
    }
    """

  @Test func compiledAndEvaluatedAgree() throws {
    let module = try Parser.parse(Self.text)
    func tensor(_ shape: [Int], _ factor: Float) -> HostArray {
      let count = shape.reduce(1, *)
      return HostArray((0..<count).map { Float($0 * 37 % 23) * factor - 0.5 }, shape: shape)
    }
    let inputs = [
      "x": tensor([3, 20], 0.05), "w": tensor([18, 20], 0.04), "gy": tensor([3, 18], 0.03),
    ]
    let expected = try ReferenceRun(module, WeightFiles([:])).run("f", inputs)
    var options = CompilationOptions()
    options.cacheFolder = SharedKernels.folder
    let compiler = try Compiler(options, precision: .f32, .silent)
    let program = try Program(
      try compiler.compile(module, function: "f"), weights: WeightFiles([:]), on: compiler)
    let found = try program.run(inputs)
    #expect(Set(found.keys) == ["loss", "dx", "dw"])
    for (name, value) in expected {
      let result = try #require(found[name])
      let error = Comparison.relative(result.floats, value.floats)
      #expect(error < 1e-5, "\(name)")
    }
  }
}
