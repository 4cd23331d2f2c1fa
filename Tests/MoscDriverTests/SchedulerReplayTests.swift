import Foundation
import MoscDriver
import MoscEngine
import MoscFormats
import MoscReport
import RunSupport
import TestSupport
import Testing

@Suite struct SchedulerReplayTests {
  /// `mosc run scheduler` repeats the trajectories of the golden files.
  @Test(arguments: [
    "ddim", "pndm", "euler", "euler_ancestral", "dpmpp_2m", "dpmpp_2m_sde", "heun", "lms", "lcm",
    "ddpm", "unipc",
  ])
  func repeatsTrajectories(name: String) throws {
    let scratch = Scratch()
    let input = Goldens.url("diffusers/sched_\(name).safetensors").path
    let request = RunRequest(.procedure(.scheduler), input: input, output: scratch.path("out.safetensors"))
    try RunJob(request, .silent).run()
    let results = try TensorFile.read(request.output)
    let golden = try TensorFile.read(input)
    let trajectories = results.keys.filter { $0.hasSuffix(".x") }
    #expect(trajectories.count >= 2)
    for key in trajectories {
      let expected = try #require(golden[key])
      #expect(results[key]?.shape == expected.shape)
      #expect(Comparison.relative(results[key]?.floats ?? [], expected.floats) < 1.2e-5, "\(key)")
    }
  }
}
