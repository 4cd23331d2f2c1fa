import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscNetworks
import MoscReport
import MoscTrain
import RunSupport
import TestSupport
import Testing

/// `mosc train`: the official trainer's optimiser, stops and resumptions, files and bad data.
@Suite(.serialized) struct TrainTests {
  private let scratch = Scratch()

  private func request(_ output: String) -> TrainRequest {
    SmallTraining(scratch).request(output)
  }

  private func small(_ output: String, steps: Int = 4) throws -> TrainRequest {
    try SmallTraining(scratch).embedded(output, steps: steps)
  }

  @Test(arguments: [1, 5]) func recordedTrajectory(steps: Int) throws {
    var request = request("after.pth")
    request.model.path = GoldenFile.model
    request.model.adapters.files = [
      AdapterRequest(path: RecordedRun.url("edlora_kaori.pth").path)
    ]
    request.replayDraws = RecordedRun.url("trajectory.safetensors").path
    request.steps = steps
    try TrainJob(request, .silent).run()

    let golden = try SafetensorsFile(RecordedRun.url("trajectory.safetensors"))
    let found = try TorchFile(URL(fileURLWithPath: scratch.path("after.pth")))
    var count = 0
    for (name, tensor) in found.tensors {
      let stem = name.dropFirst("params.".count)
        .replacing("new_concept_embedding.", with: "embedding.")
      let expected = try golden.array("after\(steps).\(stem)")
      #expect(tensor.array().shape == expected.shape, "\(name)")
      #expect(Comparison.relative(tensor.array().floats, expected.floats) < 1e-4, "\(name)")
      count += 1
    }
    #expect(count == 274)
    let log = try String(contentsOfFile: scratch.path("after.log.jsonl"), encoding: .utf8)
    let lines = log.split(separator: "\n")
    #expect(lines.count == steps)
    for (index, line) in lines.enumerated() {
      let record = try JSONValue.parse(Array(line.utf8), path: "log")
      for (key, name) in [("loss", "losses"), ("norm", "norms")] {
        let expected = try golden.array(name).doubles[index]
        let value = try #require(record[key]?.double)
        #expect(abs(value - expected) < 1e-4 * expected, "\(key)")
      }
      let rate = try #require(record["lr"]?.double)
      let expected = try golden.array("lrs").doubles[index * 3 + 2]
      #expect(abs(rate - expected) < 1e-6 * expected)
    }
  }

  /// A run that is stopped or killed and taken up ends with the bytes of one that was not.
  @Test(arguments: [SIGINT, SIGHUP, SIGTERM, SIGKILL]) func resumesExactly(signal: Int32) throws {
    let data = try #require(try small("unused").data)
    let output = scratch.path("run.safetensors")
    let arguments = [
      "train", "--data", data, "--concept", "<dog1> <dog2>", "--init", "dog", "--resolution", "32",
      "--steps", "14", "--gradient-accumulation", "2", "--ema", "0.9", "--variants", "2",
      "--save-every", "1", "--rank", "4", "--batch-size", "1", "--type", "f32", "--no-cache",
      "-o", output,
    ]
    let whole = try MoscProgram.run(arguments)
    #expect(whole.status == 0, "\(whole.errors)")
    let expected = try Data(contentsOf: URL(fileURLWithPath: output))
    for name in scratch.names where name.hasPrefix("run.") {
      try FileManager.default.removeItem(atPath: scratch.path(name))
    }

    let status = try MoscProgram.interrupt(arguments, when: "step 10/14", signal: signal)
    #expect(status == (signal == SIGKILL ? -1 : 130))
    #expect(!FileManager.default.fileExists(atPath: output))
    #expect(FileManager.default.fileExists(atPath: scratch.path("run.state.safetensors")))
    // Another rank would give another file, fewer threads and other intervals the same.
    let refused = try MoscProgram.run(arguments + ["--resume", "--rank", "8", "--seed", "1"])
    #expect(refused.status == 2)
    #expect(
      refused.errors.contains("has --rank 4, this run has 8; --seed 0, this run has 1;"),
      "\(refused.errors)")
    let rest = try MoscProgram.run(
      arguments + ["--resume", "--threads", "1", "--save-every", "5"])
    #expect(rest.status == 0, "\(rest.errors)")
    #expect(rest.errors.contains("going on after step"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: output)) == expected)
    #expect(try SafetensorsFile(
      URL(fileURLWithPath: scratch.path("run.state.safetensors"))).metadata["step"] == "14")
    let log = try String(contentsOfFile: scratch.path("run.log.jsonl"), encoding: .utf8)
    #expect(log.split(separator: "\n").count == 14)
    let plot = try String(contentsOfFile: scratch.path("run.loss.svg"), encoding: .utf8)
    #expect(plot.hasPrefix("<svg") && plot.components(separatedBy: "<circle").count == 15)
  }

  /// A state that does not say what it is of is refused, and left as it is.
  @Test func refusesAnotherState() throws {
    var request = try small("run.safetensors")
    let state = URL(fileURLWithPath: scratch.path("run.state.safetensors"))
    try SafetensorsFile.write(
      [("x", HostArray([Float(1)], shape: [1]))],
      metadata: ["mosc": "training state", "step": "2", "fingerprint": "other"], to: state)
    let before = try Data(contentsOf: state)
    request.resumes = true
    let error = #expect(throws: FormatError.self) { try TrainJob(request, .silent).run() }
    #expect(error?.message.contains("no state of a training run") == true)
    #expect(try Data(contentsOf: state) == before)
  }

  /// Draws that were kept give the same concept when they are replayed.
  @Test func replaysItsOwnDraws() throws {
    var first = try small("first.safetensors", steps: 2)
    first.recordDraws = scratch.path("draws.safetensors")
    first.batchSize = 2
    try TrainJob(first, .silent).run()
    // The concept before its first step.
    var start = first
    start.output = scratch.path("start.safetensors")
    start.recordDraws = nil
    (start.steps, start.unetRate, start.textEncoderRate) = (1, 0, 0)
    start.embeddingRate = 0
    try TrainJob(start, .silent).run()
    var again = request("again.safetensors")
    again.model.adapters.files = [AdapterRequest(path: start.output)]
    again.replayDraws = first.recordDraws
    try TrainJob(again, .silent).run()
    let (a, b) = (
      try SafetensorsFile(URL(fileURLWithPath: first.output)),
      try SafetensorsFile(URL(fileURLWithPath: again.output))
    )
    #expect(a.entries.map(\.name) == b.entries.map(\.name))
    for entry in a.entries {
      #expect(try a.array(entry.name).floats == b.array(entry.name).floats, "\(entry.name)")
    }
  }

  /// The layers of a file for programs that know only layers, and its metadata.
  @Test func writesLayersAlone() throws {
    var request = try small("plain.safetensors", steps: 1)
    request.layout = .lora
    request.rank = 2
    request.alpha = 0.5
    try TrainJob(request, .silent).run()
    let file = try SafetensorsFile(URL(fileURLWithPath: request.output))
    #expect(file.entries.allSatisfy { $0.name.hasPrefix("lora_") })
    #expect(file.entries.count == 3 * (16 * 12 + 2 * 6))
    let layer = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
    #expect(file["\(layer).lora_down.weight"]?.shape == [2, 128])
    #expect(try file.array("\(layer).alpha").floats == [1])
    #expect(file.metadata["ss_network_dim"] == "2")
    #expect(file.metadata["ss_network_alpha"] == "1.0")
    #expect(file.metadata["modelspec.trigger_phrase"] == "<dog1> <dog2>")
    #expect(file.metadata["sshs_model_hash"]?.count == 64)
    #expect(file.metadata.values.allSatisfy { !$0.contains(scratch.url.path) })
  }

  /// A loss that is no number ends the run, names a value, and writes no concept.
  @Test func namesWhatDiverges() throws {
    var request = try small("bad.safetensors", steps: 6)
    request.embeddingRate = 1e30
    request.unetRate = 1e30
    request.embeddingNormThreshold = .infinity
    let error = #expect(throws: CommandError.self) { try TrainJob(request, .silent).run() }
    #expect(error?.message.contains("not finite; the first such value is '%") == true)
    #expect(!FileManager.default.fileExists(atPath: request.output))
  }

  /// Everything that is wrong with words and data, before anything is computed.
  @Test(arguments: [("\"time_cond_proj_dim\": null", "\"time_cond_proj_dim\": 10", "distilled"), ("\"in_channels\": 4", "\"in_channels\": 9", "inpainting")])
  func otherNetworksAreRefused(_ key: String, _ changed: String, _ reason: String) throws {
    let folder = scratch.path("model")
    try FileManager.default.copyItem(atPath: GoldenFile.model, toPath: folder)
    let config = URL(fileURLWithPath: "\(folder)/unet/config.json")
    let text = try String(contentsOf: config, encoding: .utf8)
    #expect(text.contains(key))
    try Data(text.replacing(key, with: changed).utf8).write(to: config)
    var request = try small("concept.safetensors")
    request.model.path = folder
    #expect { try TrainJob(request, .silent) } throws: { "\($0)".contains(reason) && "\($0)".contains(folder) }
  }

  @Test func badData() throws {
    var request = try small("bad.safetensors")
    request.concept = "dog <dog2>"
    request.start = "a rocket in space"
    let folder = try #require(request.data)
    try Data("broken".utf8).write(to: URL(fileURLWithPath: "\(folder)/images/1.png"))
    try Data("alone".utf8).write(to: URL(fileURLWithPath: "\(folder)/captions/9.txt"))
    let words = #expect(throws: DatasetError.self) { try TrainJob(request, .silent) }
    #expect(words?.description.contains("9.txt") == true)
    try FileManager.default.removeItem(atPath: "\(folder)/captions/9.txt")
    request.start = "<rand-0.01>+octopus"
    let error = #expect(throws: DatasetError.self) { try TrainJob(request, .silent) }
    #expect(error?.description.contains("'dog'") == true)
    #expect(error?.description.contains("1.png") == true)
    request.resolution = 30
    #expect(
      throws: CommandError.usage(
        "--resolution 30: expected a multiple of 4, which is a pixel of the latents")
    ) { try TrainJob(request, .silent) }
    request.resolution = nil
    request.data = nil
    #expect(throws: CommandError.self) { try TrainJob(request, .silent) }
    request.config = "nowhere.yml"
    let both = #expect(throws: CommandError.self) { try TrainJob(request, .silent) }
    #expect(both?.message.hasPrefix("--concept and --config exclude each other") == true)
  }
}
