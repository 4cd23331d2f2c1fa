import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import RunSupport
import TestSupport
import Testing

/// The training step of a ControlNet against PyTorch.
@Suite struct ControlStepTests {
  private let scratch = Scratch()

  @Test func lossAndGradientsEqualPyTorch() throws {
    let golden = try SafetensorsFile(Goldens.url("diffusers/control_step.safetensors"))
    let base = try DiffusersModel(at: Goldens.url("mix-of-show/base"))
    let url = URL(fileURLWithPath: scratch.path("net.safetensors"))
    let tensors = try GoldenNetworks.controlNet(0)
    try GoldenNetworks.write(tensors, to: url)
    let net = try ControlNetModel(url, for: base.unet().config)
    let latents = try golden.array("latents")
    let training = try base.trainingModule(
      ControlStep(
        NoisingStep(batch: latents.shape[0], height: latents.shape[2], width: latents.shape[3])), net)
    #expect(training.trained.map(\.name).sorted() == tensors.keys.sorted())

    var inputs: [String: HostArray] = [:]
    for name in ["latents", "noise", "image"] { inputs[name] = try golden.array(name).channelsLast }
    for name in ["signal", "level", "timestep", "loss_weight", "input_ids"] {
      inputs[name] = try golden.array(name)
    }
    for (name, shape) in training.trained {
      inputs[name] = HostArray(try #require(tensors[name]).floats, shape: shape)
    }
    let results = try ReferenceRun(training.module, WeightFiles(training.sources))
      .run(ControlStep.name, inputs)
    for name in ["loss", "errors"] {
      #expect(Comparison.relative(try #require(results[name]).floats, try golden.array(name).floats) < 1e-5)
    }
    var compared = 0
    for entry in golden.entries where entry.name.hasPrefix("grad.") {
      let found = try #require(results[entry.name], "\(entry.name)").floats
      #expect(Comparison.relative(found, try golden.array(entry.name).floats) < 2e-5, "\(entry.name)")
      compared += 1
    }
    #expect(compared == 10)
  }

  @Test func aNewNetworkChangesNothing() throws {
    let base = try DiffusersModel.embedded()
    let net = ControlNet(for: try base.unet().config, reduction: try base.vae().config.downsampling)
    #expect(net.reduction == (try base.vae().config.downsampling))
    let shapes = try net.requests().shapes
    let own = shapes.keys.filter { $0.hasPrefix("controlnet_") }
    let unet = try base.requests(.unet).shapes
    for (name, shape) in shapes where !name.hasPrefix("controlnet_") { #expect(unet[name] == shape, "\(name)") }
    for name in own where !name.hasPrefix("controlnet_cond_embedding.") || name.contains("conv_out") {
      #expect(ControlNet.filling(name, shapes) == .constant(0), "\(name)")
    }
    // Three channels of 3×3 pixels.
    #expect(
      ControlNet.filling("controlnet_cond_embedding.conv_in.weight", shapes)
        == .uniform(limit: 1 / 27.0.squareRoot()))
  }
}
