import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// T2I-Adapters against the reference, in both namings, and their effect on the U-Net.
@Suite(.serialized) struct T2IAdapterTests {
  private let golden = Goldens.url("mix-of-show/adapter.safetensors")

  /// The golden's weights as a file of their own.
  private func weights(
    _ scratch: Scratch, _ change: (inout [String: HostArray]) -> Void = { _ in }
  ) throws -> URL {
    var tensors = try GoldenNetworks.t2iAdapter()
    change(&tensors)
    let url = URL(fileURLWithPath: scratch.path("adapter.safetensors"))
    try GoldenNetworks.write(tensors, to: url)
    return url
  }

  /// The name in the original release.
  private static func originalName(_ name: String) -> String {
    let parts = name.split(separator: ".").dropFirst().map(String.init)
    guard parts[0] == "body", let level = Int(parts[1]) else {
      return parts.joined(separator: ".")
    }
    let rest = parts.dropFirst(2)
    if rest.first == "resnets", let block = rest.dropFirst().first.flatMap({ Int($0) }) {
      return (["body", "\(2 * level + block)"] + rest.dropFirst(2)).joined(separator: ".")
    }
    return (["body", "\(2 * level)"] + rest).joined(separator: ".")
  }

  private func compiler(_ precision: Precision = .f32) throws -> Compiler {
    var options = CompilationOptions()
    options.cacheFolder = SharedKernels.folder
    options.threads = 2
    options.verifiesEach = true
    return try Compiler(options, precision: precision, .silent)
  }

  private func check(_ maps: [HostArray], _ tolerance: Double) throws {
    let file = try SafetensorsFile(golden)
    #expect(maps.count == 4)
    for (level, map) in maps.enumerated() {
      let expected = try file.array("map\(level)")
      #expect(map.channelsFirst.shape == expected.shape)
      #expect(Comparison.relative(map.channelsFirst.floats, expected.floats) < tolerance)
    }
  }

  @Test(arguments: [false, true])
  func matchesTheReference(isOriginal: Bool) throws {
    let scratch = Scratch()
    let url = try weights(scratch) { tensors in
      guard isOriginal else { return }
      tensors = Dictionary(
        uniqueKeysWithValues: tensors.map { (Self.originalName($0.key), $0.value) })
    }
    let model = try T2IAdapterModel(url)
    #expect(model.config == T2IAdapterConfig(imageChannels: 1, widths: [32, 32, 64, 64]))
    let image = try TensorFile.read(golden.path, "image").channelsLast
    // Five times the worst difference between the reference's own fp32 and fp64 runs.
    try check(try model.maps(of: image, compiler()), 5 * 2.14e-7)
    if isOriginal { return }
    try check(try model.maps(of: image, compiler(.bf16)), 2e-2)
  }

  /// Three channels and odd halvings, from the torch file of the original release.
  @Test func readsTorchFiles() throws {
    let model = try T2IAdapterModel(Goldens.url("torch/adapter.pth"))
    #expect(model.config == T2IAdapterConfig(imageChannels: 3, widths: [4, 6, 6, 8]))
    let expected = Goldens.url("torch/adapter.safetensors").path
    let image = try TensorFile.read(expected, "image").channelsLast
    for (level, map) in try model.maps(of: image, compiler()).enumerated() {
      let wanted = try TensorFile.read(expected, "map\(level)")
      #expect(map.channelsFirst.shape == wanted.shape)
      #expect(Comparison.relative(map.channelsFirst.floats, wanted.floats) < 2e-6)
    }
    let wrong = #expect(throws: FormatError.self) {
      try T2IAdapterModel(Goldens.url("torch/kinds.pth"))
    }
    #expect(wrong?.message.contains("is not a T2I-Adapter") == true)
  }

  /// 72×40 pixels are 9×5 squares: two odd halvings. Compiled code against the evaluator, and the
  /// evaluator's average against pixels counted by hand.
  @Test func oddSizes() throws {
    let scratch = Scratch()
    let model = try T2IAdapterModel(try weights(scratch))
    let image = HostArray(
      (0..<5760).map { Float(($0 * 7919) % 256) / 255 }, shape: [2, 72, 40, 1])
    let compiled = try model.maps(of: image, compiler())
    let judged = try model.maps(of: image, compiler(), usesEvaluator: true)
    #expect(compiled.map(\.shape) == [[2, 9, 5, 32], [2, 5, 3, 32], [2, 3, 2, 64], [2, 2, 1, 64]])
    for (a, b) in zip(compiled, judged) {
      #expect(a.shape == b.shape)
      #expect(Comparison.relative(a.floats, b.floats) < 1e-6)
    }
  }

  /// A level that only averages: its corner pixel has one neighbour less on each side.
  @Test func averagesWhatExists() throws {
    let scratch = Scratch()
    let url = try weights(scratch) { tensors in
      for (name, array) in tensors where name.contains("block2") {
        let zeros = [Float](repeating: 0, count: array.floats.count)
        tensors[name] = HostArray(zeros, shape: array.shape)
      }
    }
    let image = HostArray((0..<576).map { Float($0 % 255) / 255 }, shape: [1, 24, 24, 1])
    let maps = try T2IAdapterModel(url).maps(
      of: image, compiler(), usesEvaluator: true)
    let (fine, coarse) = (maps[0].floats, maps[1].floats)
    for c in 0..<32 {
      let at = { (y: Int, x: Int) in fine[(y * 3 + x) * 32 + c] }
      let first = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4
      #expect(abs(coarse[c] - first) < 1e-5)
      #expect(abs(coarse[32 + c] - (at(0, 2) + at(1, 2)) / 2) < 1e-5)
      #expect(abs(coarse[96 + c] - at(2, 2)) < 1e-6)
    }
  }

  @Test func badFilesAreNamed() throws {
    let scratch = Scratch()
    func message(_ change: (inout [String: HostArray]) -> Void) throws -> String {
      let url = try weights(scratch, change)
      do {
        _ = try T2IAdapterModel(url)
        return "nothing was thrown"
      } catch {
        return "\(error)"
      }
    }
    let extra = HostArray([Float(0)], shape: [1])
    #expect(try message { $0["adapter.body.1.out_conv.weight"] = extra }.contains("out_conv"))
    #expect(
      try message { $0["adapter.body.2.resnets.1.block2.bias"] = nil }
        .contains("no tensor 'adapter.body.2.resnets.1.block2.bias'"))
    #expect(try message { $0["adapter.conv_in.weight"] = nil }.contains("is not a T2I-Adapter"))
    #expect(try message { $0["adapter.conv_in.weight"] = extra }.contains("has shape [1]"))
    #expect(
      try message { $0["adapter.body.3.resnets.0.block1.weight"] = extra }
        .contains("has shape"))
    let image = HostArray([Float](repeating: 0, count: 192), shape: [1, 8, 8, 3])
    let model = try T2IAdapterModel(try weights(scratch))
    #expect(throws: CommandError.self) { try model.maps(of: image, compiler()) }
    #expect(throws: Diagnostic.self) { try model.module(height: 12, width: 8) }
  }

  /// Zero maps leave the U-Net as it is; the last map reaches the output only through a skip and
  /// the mid block.
  @Test func mapsReachTheUNet() throws {
    let model = try DiffusersModel(at: URL(fileURLWithPath: GoldenFile.model))
    var shape = UNet.Shape(height: 8, width: 6, tokens: 3)
    let components = try Networks.components(.f32)
    func values(_ shape: [Int], _ seed: Int) -> HostArray {
      HostArray(
        (0..<shape.reduce(1, *)).map { Float(($0 * 31 + seed) % 17) / 17 - 0.5 }, shape: shape)
    }
    var inputs = [
      "sample": values([1, 8, 6, 4], 1), "timestep": HostArray([Float(300)], shape: [1]),
      "encoder_hidden_states": values([1, 3, 64], 5),
    ]
    let plain = try components.program(.unet(shape)).run(inputs)
    shape.hasAdapter = true
    let program = try components.program(.unet(shape))
    let graph = try model.program(.unet(shape)).function
    let maps = graph.parameters.filter { graph[$0].name.hasPrefix("adapter.") }
    #expect(maps.map { graph[$0].rate } == [.prompt, .prompt, .prompt, .prompt])
    #expect(
      maps.map { graph.type($0).shape }
        == [[1, 8, 6, 32], [1, 4, 3, 32], [1, 2, 2, 64], [1, 1, 1, 64]])
    for id in maps {
      let type = graph.type(id)
      inputs[graph[id].name] = HostArray([Float](repeating: 0, count: type.count), shape: type.shape)
    }
    let noise = try #require(plain["noise_pred"]).floats
    let unchanged = try #require(try program.run(inputs)["noise_pred"]).floats
    #expect(Comparison.relative(unchanged, noise) < 1e-6)
    for level in 0..<4 {
      var changed = inputs
      changed["adapter.\(level)"] = values(graph.type(maps[level]).shape, level)
      let result = try #require(try program.run(changed)["noise_pred"]).floats
      #expect(Comparison.relative(result, noise) > 1e-4, "map \(level)")
    }
  }

  @Test func runsFromTheCommandLine() throws {
    let scratch = Scratch()
    let adapter = try weights(scratch)
    let output = scratch.path("maps.safetensors")
    let outcome = try MoscProgram.run(
      "run", "t2i_adapter", "-m", adapter.path, "--in", golden.path, "--out", output,
      "--type", "f32", "--no-cache")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let maps = try (0..<4).map { try TensorFile.read(output, "map\($0)").channelsLast }
    try check(maps, 5 * 2.14e-7)
    let missing = try MoscProgram.run(
      "run", "t2i_adapter", "--in", golden.path, "--out", output)
    #expect(missing.status == 2 && missing.errors.contains("-m FILE"))
    let sketch = scratch.path("sketch.png")
    let picture = Goldens.url("pillow/source.png").path
    #expect(try MoscProgram.run("sketch", picture, "-o", sketch).status == 0)
    #expect(try ImageFile.read(URL(fileURLWithPath: sketch)).width == 37)
    #expect(try MoscProgram.run("sketch", picture, "-o", sketch, "--low", "2").status == 2)
    #expect(try MoscProgram.run("sketch", golden.path, "-o", sketch).status == 1)
  }
}
