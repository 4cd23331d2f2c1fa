import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import RunSupport
import Testing

/// Networks whose pictures have no edges, against torch's `padding_mode='circular'`.
@Suite(.serialized) struct SeamlessTests {
  @Test(arguments: Seamless.allCases)
  func unet(directions: Seamless) throws {
    let golden = try GoldenFile("seamless.safetensors")
    var shape = UNet.Shape(height: 8, width: 12, tokens: 5)
    shape.seamless = directions
    let noise = try run(
      .unet(shape),
      [
        "sample": golden["x"].channelsLast, "timestep": golden["t"],
        "encoder_hidden_states": golden["context"],
      ], "noise_pred")
    #expect(try Comparison.relative(noise.floats, golden["\(directions.rawValue).unet"].floats) < 5.5e-5)
    // The directions differ by far more than that.
    for other in Seamless.allCases where other != directions {
      #expect(try Comparison.relative(noise.floats, golden["\(other.rawValue).unet"].floats) > 1e-2)
    }
  }

  @Test(arguments: Seamless.allCases)
  func decoder(directions: Seamless) throws {
    let golden = try GoldenFile("seamless.safetensors")
    let image = try run(
      .vaeDecoder(batch: 1, height: 5, width: 7, seamless: directions),
      ["latents": golden["z"].channelsLast], "image")
    #expect(try Comparison.relative(image.floats, golden["\(directions.rawValue).decoded"].floats) < 1e-5)
  }

  @Test func encoder() throws {
    let golden = try GoldenFile("seamless.safetensors")
    let moments = try run(
      .vaeEncoder(batch: 1, height: 32, width: 48, seamless: .both),
      ["image": golden["image"].channelsLast], "moments")
    #expect(try Comparison.relative(moments.floats, golden["both.encoded"].floats) < 1e-5)
  }

  /// A picture without edges that is moved on comes out moved on.
  @Test func turns() throws {
    let golden = try GoldenFile("seamless.safetensors")
    let function = ModelFunction.vaeDecoder(batch: 1, height: 5, width: 7, seamless: .both)
    let latents = try golden["z"].channelsLast
    let (whole, moved) = try (
      run(function, ["latents": latents], "image"), run(function, ["latents": turned(latents, 2, 3)], "image")
    )
    #expect(Comparison.relative(moved.floats, turned(whole.channelsLast, 16, 24).channelsFirst.floats) < 1e-5)
    let plain = ModelFunction.vaeDecoder(batch: 1, height: 5, width: 7)
    let other = try run(plain, ["latents": turned(latents, 2, 3)], "image")
    let bordered = try run(plain, ["latents": latents], "image")
    #expect(Comparison.relative(other.floats, turned(bordered.channelsLast, 16, 24).channelsFirst.floats) > 1e-2)
  }

  /// The result `[n,c,h,w]` of a function of the golden model.
  private func run(
    _ function: ModelFunction, _ inputs: [String: HostArray], _ output: String
  ) throws -> HostArray {
    let program = try Networks.components(.f32).program(function)
    return try #require(try program.run(inputs)[output]).channelsFirst
  }

  /// An image `[1,h,w,c]` whose rows and columns begin later.
  private func turned(_ image: HostArray, _ rows: Int, _ columns: Int) -> HostArray {
    let (height, width, depth) = (image.shape[1], image.shape[2], image.shape[3])
    let source = image.floats
    var result: [Float] = []
    for y in 0..<height {
      for x in 0..<width {
        let first = ((y + rows) % height * width + (x + columns) % width) * depth
        result += source[first..<first + depth]
      }
    }
    return HostArray(result, shape: image.shape)
  }
}
