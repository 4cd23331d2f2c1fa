import Foundation
import MoscIR
import MoscPasses
import Testing

/// Passes that leave work to others know whether these run, and what is decided stays decided.
@Suite struct DecisionTests {
  private static let doubled = """
    mosc 1
    stage tensor
    weights @base "w.safetensors"

    func @f(%x: f32[1,8,8,64]) -> (f32[1,16,16,64]) {
      load %w = param("w", in: @base) : f32[64,64,3,3]
      %u = upsample_nearest(%x) : f32[1,16,16,64]
      %y = conv2d(%u, weight: %w, stride: 1, pad: 1) : f32[1,16,16,64]
      return %y
    }
    """

  private func run(_ passes: String, _ text: String, _ context: PassContext) throws -> String {
    var (module, context) = (try Parser.parse(text), context)
    var manager = PassManager(try Pipeline.parse(passes))
    try manager.run(&module, &context)
    return Printer.print(module)
  }

  /// In 8 bits a doubled image is left to `winograd`, but not where that does not run.
  @Test func splitsWhatNobodyTransforms() throws {
    var context = PassContext(precision: .q8)
    #expect(try run("split-upsample", Self.doubled, context).contains("upsample_nearest("))
    context.absentPasses = ["winograd"]
    #expect(!(try run("split-upsample", Self.doubled, context).contains("upsample_nearest(")))
  }

  /// A transform that was chosen for f32 stays f32, whatever the layers around it are rounded to.
  @Test(arguments: ["bf16", "q8"]) func transformsDecidePrecision(_ precision: String) throws {
    let text = Self.doubled.replacingOccurrences(of: "[1,8,8,64]", with: "[8,8,8,64]")
      .replacingOccurrences(of: "[1,16,16,64]", with: "[8,16,16,64]")
    let result = try run(
      "winograd{tiles=2 kept=2},choose-kernels{precision=\(precision)}", text, PassContext())
    let layer = try #require(
      result.split(separator: "\n").first { $0.contains("= winograd_conv2d(") })
    #expect(layer.contains("outputs: 4"), "\(layer)")
    #expect(!result.contains("bf16[") && !result.contains("q8["), "\(result)")
  }
}
