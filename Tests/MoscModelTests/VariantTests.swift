import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscReport
import TestSupport
import Testing

/// Architectures that no golden has, compiled and evaluated: odd sizes, one text per layer, linear
/// projections, several transformer layers, half-precision storage.
@Suite(.serialized) final class VariantTests {
  private let folder = FileManager.default.temporaryDirectory
    .appending(path: "mosc-\(UUID().uuidString)")
  private var seed: UInt64 = 1

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// Writes a part with seeded random weights that keep activations near one.
  private func write(
    _ component: DiffusersModel.Component, config: String, _ dtype: ElementType,
    _ request: (inout NetworkWeights) throws -> Void
  ) throws {
    var recording = NetworkWeights(recording: component.rawValue)
    try request(&recording)
    let tensors = recording.requests.shapes.sorted { $0.key < $1.key }.map { name, shape in
      let fanIn = shape.dropFirst().reduce(1, *)
      let isScale = shape.count == 1 && name.hasSuffix("weight")
      let spread = shape.count == 1 ? 0.3 : (3 / Double(fanIn)).squareRoot()
      let values = (0..<shape.reduce(1, *)).map { _ in (isScale ? 1 : 0) + spread * uniform() }
      return (name: name, array: array(values, shape, dtype))
    }
    let part = folder.appending(path: component.rawValue)
    try FileManager.default.createDirectory(at: part, withIntermediateDirectories: true)
    try Data(config.utf8).write(to: part.appending(path: "config.json"))
    try SafetensorsFile.write(
      tensors, to: part.appending(path: "\(component.stem).safetensors"))
  }

  private func array(_ values: [Double], _ shape: [Int], _ dtype: ElementType) -> HostArray {
    guard dtype == .f16 else { return HostArray(values.map(Float.init), shape: shape) }
    let halves = values.map(Float16.init)
    return HostArray(dtype: .f16, shape: shape, bytes: halves.withUnsafeBytes { Array($0) })
  }

  /// The next number in −1…1 (Knuth's MMIX generator).
  private func uniform() -> Double {
    seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(seed >> 11) / Double(1 << 52) - 1
  }

  /// Compiles and evaluates a function on random inputs and returns how far the results differ.
  private func difference(_ function: ModelFunction, timestep: Float = 400) throws -> Double {
    var options = CompilationOptions()
    options.cacheFolder = SharedKernels.folder
    options.threads = 2
    let compiler = try Compiler(options, precision: .f32, .silent)
    let components = ModelComponents(try DiffusersModel(at: folder), compiler)
    let graph = try components.model.program(function).function
    var inputs: [String: HostArray] = [:]
    for id in graph.parameters {
      let type = graph.type(id)
      let name = graph[id].name
      if type.dtype == .i32 {
        let ids = (0..<type.count).map { _ in Int32(15 + 14 * uniform()) }
        inputs[name] = HostArray(ids, shape: type.shape)
      } else {
        let values = (0..<type.count).map { _ in
          name == "timestep" ? timestep : Float(2 * uniform())
        }
        inputs[name] = HostArray(values, shape: type.shape)
      }
    }
    let compiled = try components.program(function).run(inputs)
    let reference = try components.evaluate(function, inputs)
    #expect(Set(compiled.keys) == Set(graph.resultNames))
    var worst = 0.0
    for (name, expected) in reference {
      let found = try #require(compiled[name])
      worst = max(worst, relativeError(tensor(found), tensor(expected)))
    }
    return worst
  }

  private func tensor(_ value: HostArray) -> HostTensor {
    HostTensor(TensorType(.f32, value.shape), value.floats.map(Double.init))
  }

  private func writeUNet(_ changes: String, _ dtype: ElementType = .f32) throws {
    let config = """
      {"block_out_channels": [16, 24], "cross_attention_dim": 20, "norm_num_groups": 4,
       "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
       "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"], \(changes)}
      """
    let unet = UNet(try UNetConfig(reader(config)))
    try write(.unet, config: config, dtype) { weights in
      _ = try unet.graph(UNet.Shape(height: 2, width: 2), &weights)
    }
  }

  @Test func oddSizeAndOneTextPerLayer() throws {
    try writeUNet(
      """
      "attention_head_dim": [2, 3], "layers_per_block": 1, "use_linear_projection": true,
      "transformer_layers_per_block": [2, 1]
      """)
    let shape = UNet.Shape(batch: 2, height: 5, width: 3, tokens: 7, isLayerwise: true)
    #expect(try difference(.unet(shape)) < 1e-5)
  }

  @Test func halfPrecisionStorageAndNoMidBlock() throws {
    try writeUNet(
      """
      "attention_head_dim": 4, "layers_per_block": [2, 1], "mid_block_type": null,
      "flip_sin_to_cos": false, "freq_shift": 1, "conv_out_kernel": 1
      """, .f16)
    let shape = UNet.Shape(batch: 1, height: 4, width: 6, tokens: 5)
    #expect(try difference(.unet(shape)) < 1e-5)
  }

  @Test func autoencoder() throws {
    let config = """
      {"block_out_channels": [4, 8, 12], "norm_num_groups": 2, "latent_channels": 3,
       "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
       "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
       "use_quant_conv": false}
      """
    let vae = VAE(try VAEConfig(reader(config)))
    try write(.vae, config: config, .f32) { weights in
      _ = try vae.encoder(height: 4, width: 4, &weights)
      _ = try vae.decoder(height: 1, width: 1, &weights)
    }
    // Sizes that the levels do not divide lose their last row or column, as in the reference.
    #expect(try difference(.vaeEncoder(batch: 2, height: 9, width: 14)) < 1e-5)
    #expect(try difference(.vaeDecoder(batch: 2, height: 3, width: 2)) < 1e-5)
  }

  /// The exact GELU, fewer tokens than positions, and layers left out.
  @Test func textEncoder() throws {
    let config = """
      {"vocab_size": 30, "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3,
       "num_attention_heads": 3, "max_position_embeddings": 12, "hidden_act": "gelu"}
      """
    let encoder = TextEncoder(try TextEncoderConfig(reader(config)))
    try write(.textEncoder, config: config, .f16) { weights in
      _ = try encoder.graph(TextEncoder.Shape(), &weights)
    }
    #expect(try difference(.textEncoder(TextEncoder.Shape(batch: 2, tokens: 9, skippedLayers: 1))) < 1e-5)
  }

  /// The recorded clip skip of 2, in the web UI's counting, leaves out one layer.
  @Test func clipSkip() throws {
    let record = try SafetensorsFile(Goldens.url("diffusers/text.safetensors"))
    var options = CompilationOptions()
    options.cacheFolder = SharedKernels.folder
    let compiler = try Compiler(options, precision: .f32, .silent)
    let components = ModelComponents(try goldenBase(), compiler)
    let program = try components.program(.textEncoder(TextEncoder.Shape(batch: 8, skippedLayers: 1)))
    let ids = try record.array("ids")
    let results = try program.run(["input_ids": ids])
    let states = try #require(results["last_hidden_state"])
    #expect(relativeError(tensor(states), try record.tensor("clip_skip2")) < 3e-6)
  }
}
