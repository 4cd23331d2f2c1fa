import Foundation
import MoscDriver
import MoscEngine
import MoscFormats
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// A training step of concept tuning against the official trainer's.
@Suite(.serialized) struct TrainStepTests {
  private let scratch = Scratch()

  /// Masked and unmasked loss, both forms of the regulariser and none.
  @Test(arguments: ["train_a", "train_b", "train_c"]) func recordedStep(name: String) throws {
    let golden = RecordedRun.url("\(name).safetensors")
    let output = scratch.path("step.safetensors")
    var request = RunRequest(.procedure(.trainStep), input: golden.path, output: output)
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.model.adapters.files = [
      AdapterRequest(path: RecordedRun.url("edlora_hina.pth").path)
    ]
    request.compiler.cacheFolder = SharedKernels.folder
    try RunJob(request, .silent).run()

    let expected = try SafetensorsFile(golden)
    let found = try SafetensorsFile(URL(fileURLWithPath: output))
    let results = expected.entries.map(\.name).filter {
      $0.hasPrefix("grad.") || ["loss", "attn_reg", "model_pred"].contains($0)
    }
    #expect(results.count == 277)
    #expect(Set(found.entries.map(\.name)) == Set(results))
    for name in results {
      let (a, b) = (try found.array(name), try expected.array(name))
      #expect(a.shape == b.shape, "\(name)")
      if b.floats.allSatisfy({ $0 == 0 }) {
        #expect(a.floats == b.floats, "\(name)")
        continue
      }
      #expect(Comparison.relative(a.floats, b.floats) < 1e-4, "\(name)")
    }
  }

  @Test func wrongFiles() throws {
    var request = RunRequest(
      .procedure(.trainStep), input: RecordedRun.url("train_a.safetensors").path,
      output: scratch.path("step.safetensors"))
    request.model = ModelOptions(path: GoldenFile.model)
    #expect(throws: CommandError.usage("run train_step trains one concept: give its file with --lora")) {
      try RunJob(request, .silent).run()
    }
    request.model.adapters.files = [
      AdapterRequest(path: RecordedRun.url("edlora_kaori.pth").path)
    ]
    let other = #expect(throws: CommandError.self) { try RunJob(request, .silent).run() }
    #expect(other?.message.contains("<hina1>") == true)
    request.input = RecordedRun.url("sample_alpha0.0.safetensors").path
    #expect(throws: FormatError.self) { try RunJob(request, .silent).run() }
  }
}
