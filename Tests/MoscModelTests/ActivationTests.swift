import MoscFormats
import MoscModel
import TestSupport
import Testing

/// Parts of whole networks against recorded activations of diffusers; parts small enough for the
/// evaluator, from recorded values to recorded values.
@Suite struct ActivationTests {
  /// Evaluates the part of case a of the U-Net between named values.
  private func check(_ target: String, golden: String? = nil, from given: [String]) throws {
    let program = try goldenBase().program(.unet(UNet.Shape(height: 16, width: 16)))
    let record = try SafetensorsFile(Goldens.url("diffusers/unet.safetensors"))
    let graph = try #require(program.function.cut(to: target, from: given))
    let inputs = try given.map { name in
      switch name {
      case "sample": try record.image("a.x")
      case "timestep": try record.tensor("a.t")
      case "encoder_hidden_states": try record.tensor("a.context")
      default: try record.activation("a.act.\(name)")
      }
    }
    let file = try #require(program.file("unet"))
    let y = try evaluate(graph, inputs, ["unet": file])[0]
    let expected = try record.activation("a.act.\(golden ?? target)")
    #expect(relativeError(y, expected) < 5e-6, "\(target)")
  }

  @Test func timeEmbedding() throws {
    try check("time_embedding.linear_2", golden: "time_embedding", from: ["timestep"])
  }

  @Test func convIn() throws { try check("conv_in", from: ["sample"]) }

  /// Coarsest level and mid block: two residual blocks, a transformer, two residual blocks.
  @Test func midBlock() throws {
    try check(
      "mid_block.resnets.1", golden: "mid_block",
      from: ["down_blocks.3.resnets.0", "encoder_hidden_states", "timestep"])
  }
}
