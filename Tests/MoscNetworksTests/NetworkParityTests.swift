import MoscDriver
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import RunSupport
import Testing

/// Compiled networks against diffusers; tolerances are ten times the worst difference between the
/// reference's own fp32 and fp64 runs for f32, and measured for bf16.
@Suite(.serialized) struct NetworkParityTests {
  @Test(arguments: [(Precision.f32, 3e-6), (.bf16, 2e-2)])
  func textEncoder(precision: Precision, tolerance: Double) throws {
    let golden = try GoldenFile("text.safetensors")
    let results = try RunJob.run(
      .textEncoder, ["input_ids": golden["ids"]], Networks.components(precision))
    let states = try #require(results["last_hidden_state"])
    let error = try Comparison.relative(states.floats, golden["last_hidden_state"].floats)
    #expect(error < tolerance)
  }

  @Test(arguments: ["a", "b", "c", "d", "e", "f", "g", "h"])
  func unet(scenario: String) throws {
    try check(scenario, .f32, 5.5e-5)
  }

  @Test(arguments: ["a", "d"])
  func unetInBF16(scenario: String) throws {
    try check(scenario, .bf16, 2.7e-2)
  }

  @Test func unetForOlderProcessors() throws {
    try check("d", .f32, 5.5e-5, cpu: "x86-64-v3")
    try check("d", .bf16, 2.7e-2, cpu: "x86-64-v3")
  }

  private func check(
    _ scenario: String, _ precision: Precision, _ tolerance: Double, cpu: String = "native"
  ) throws {
    let golden = try GoldenFile("unet.safetensors")
    let results = try RunJob.run(
      .unet,
      [
        "sample": golden["\(scenario).x"], "timestep": golden["\(scenario).t"],
        "encoder_hidden_states": golden["\(scenario).context"],
      ], Networks.components(precision, cpu: cpu))
    let noise = try #require(results["noise_pred"])
    let error = try Comparison.relative(noise.floats, golden["\(scenario).y"].floats)
    #expect(error < tolerance)
  }

  @Test(arguments: ["64x64", "96x160"])
  func autoencoder(size: String) throws {
    let golden = try GoldenFile("vae.safetensors")
    let components = try Networks.components(.f32)
    let encoded = try RunJob.run(.vaeEncoder, ["image": golden["\(size).image"]], components)
    let moments = try #require(encoded["moments"]).floats
    let mean = try golden["\(size).mean"].floats
    #expect(Comparison.relative(Array(moments.prefix(mean.count)), mean) < 1e-5)
    let variance = try golden["\(size).logvar"].floats
    #expect(Comparison.relative(Array(moments.suffix(variance.count)), variance) < 1e-5)
    let decoded = try RunJob.run(.vaeDecoder, ["latents": golden["\(size).z"]], components)
    let image = try #require(decoded["image"])
    #expect(try Comparison.relative(image.floats, golden["\(size).decoded"].floats) < 1e-5)
  }

  /// Threads and repetition must not change a bit.
  @Test(arguments: [Precision.f32, .bf16])
  func sameBits(precision: Precision) throws {
    let golden = try GoldenFile("unet.safetensors")
    let inputs = try [
      "sample": golden["d.x"], "timestep": golden["d.t"],
      "encoder_hidden_states": golden["d.context"],
    ]
    let runs = try [1, 2, 2].map {
      try RunJob.run(.unet, inputs, Networks.components(precision, threads: $0))
    }
    #expect(runs[0] == runs[1])
    #expect(runs[1] == runs[2])
  }
}
