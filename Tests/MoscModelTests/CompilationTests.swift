import MoscIR
import MoscModel
import MoscPasses
import TestSupport
import Testing

/// Whole networks through the text format and the passes.
@Suite struct CompilationTests {
  static let functions: [ModelFunction] = [
    .textEncoder(TextEncoder.Shape(batch: 2)),
    .unet(UNet.Shape(batch: 2, height: 12, width: 20)),
    .unet(UNet.Shape(height: 15, width: 9, isLayerwise: true)),
    .vaeEncoder(batch: 1, height: 64, width: 96), .vaeDecoder(batch: 1, height: 8, width: 12),
  ]

  /// Printing, parsing and printing again gives the same bytes.
  @Test(arguments: functions)
  func textRoundTrip(function: ModelFunction) throws {
    let text = Printer.print(try goldenBase().program(function).module)
    #expect(Printer.print(try Parser.parse(text)) == text)
  }

  /// Every pass leaves a module that its stage's verifier accepts, and one that prints and parses.
  @Test(arguments: functions, [DType.f32, .bf16])
  func inference(function: ModelFunction, precision: DType) throws {
    let models = [try goldenBase(), try DiffusersModel.embedded()]
    for model in models {
      var module = try model.program(function).module
      var options = PassManager.Options()
      options.verifyEach = true
      var manager = PassManager(try Pipeline.inference(), options: options)
      var context = PassContext(target: .avx512BF16, precision: precision)
      try manager.run(&module, &context)
      #expect(module.stage == .buffer)
      #expect(Verifier.check(module).isEmpty)
      let text = Printer.print(module)
      #expect(Printer.print(try Parser.parse(text)) == text)
    }
  }
}
