import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import MoscTrain
import RunSupport
import TestSupport
import Testing

/// What a run has done is never lost, taken up damaged, or taken up with other things.
@Suite(.serialized) struct KeepWorkTests {
  private let scratch = Scratch()

  private func small(_ output: String = "run.safetensors", steps: Int = 2) throws -> TrainRequest {
    var request = try SmallTraining(scratch).embedded(output, steps: steps)
    request.compiler.cacheFolder = SharedKernels.folder
    (request.rank, request.batchSize) = (1, 1)
    return request
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: scratch.path(name)))
  }

  private func state() throws -> SafetensorsFile {
    try SafetensorsFile(URL(fileURLWithPath: scratch.path("run.state.safetensors")))
  }

  private func message(_ request: TrainRequest) -> (status: MoscReport.ExitStatus?, text: String) {
    do {
      try TrainJob(request, .silent).run()
      return (nil, "")
    } catch {
      return (MoscReport.ExitStatus(error), String(describing: error))
    }
  }

  /// A state stays until it is taken up or thrown away on purpose; that of a finished run can be made
  /// longer, and gives way to another run.
  @Test func aStateIsKept() throws {
    var request = try small()
    try TrainJob(request, .silent).run()
    let concept = try bytes("run.safetensors")
    try TrainJob(request, .silent).run()
    #expect(try bytes("run.safetensors") == concept)
    // The same state as of a run that is not finished.
    var half = try state().metadata
    half["steps"] = "9"
    let content = try state()
    try SafetensorsFile.write(
      try content.entries.map { ($0.name, try content.array($0.name)) }, metadata: half, to: content.url)
    let kept = try bytes("run.state.safetensors")
    let refused = message(request)
    #expect(refused.status == .usage)
    #expect(refused.text.contains("after step 2; go on from it with --resume"), "\(refused.text)")
    #expect(try bytes("run.state.safetensors") == kept)

    // A result that could not be written, or was removed, is made from the state.
    request.resumes = true
    try FileManager.default.removeItem(atPath: request.output)
    try TrainJob(request, .silent).run()
    #expect(try bytes("run.safetensors") == concept)
    request.steps = 1
    #expect(message(request).text.contains("--steps 1: the run in"))
    request.steps = 4
    try TrainJob(request, .silent).run()
    #expect(try state().metadata["step"] == "4")
    #expect(try bytes("run.safetensors") != concept)
    let log = try String(contentsOfFile: scratch.path("run.log.jsonl"), encoding: .utf8)
    #expect(log.split(separator: "\n").count == 4)

    request.overwrites = true
    #expect(message(request).text == "--resume and --overwrite exclude each other")
    (request.resumes, request.steps) = (false, 2)
    try TrainJob(request, .silent).run()
    #expect(try bytes("run.safetensors") == concept)
  }

  /// Every byte of a state is covered: numbers, steps and settings.
  @Test func aDamagedStateIsRefused() throws {
    var request = try small()
    try TrainJob(request, .silent).run()
    let whole = [UInt8](try bytes("run.state.safetensors"))
    let header = whole[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let step = try #require(Data(whole).range(of: Data(#""step":"2""#.utf8))).lowerBound
    request.resumes = true
    for (place, bit) in [
      (8 + header + 5, UInt8(0x40)), (whole.count - 2, 1), ((8 + header + whole.count) / 2, 8),
      (step + 8, 1),
    ] {
      var damaged = whole
      damaged[place] ^= bit
      try Data(damaged).write(to: URL(fileURLWithPath: scratch.path("run.state.safetensors")))
      let error = message(request)
      #expect(error.text.contains("is damaged"), "byte \(place): \(error.text)")
      #expect(try bytes("run.state.safetensors") == Data(damaged))
    }
  }

  /// Models and pictures count by what is in them, not by names, places and sizes.
  @Test func otherContentsAreNamed() throws {
    let model = scratch.url.appending(path: "model")
    try FileManager.default.copyItem(at: DiffusersModel.embedded().url, to: model)
    var request = try small()
    request.model.path = model.path
    try TrainJob(request, .silent).run()
    // The same model somewhere else is the same.
    let moved = scratch.url.appending(path: "moved")
    try FileManager.default.moveItem(at: model, to: moved)
    (request.model.path, request.resumes, request.steps) = (moved.path, true, 3)
    #expect(message(request).text == "")

    let weights = moved.appending(path: "unet/diffusion_pytorch_model.safetensors")
    var content = try Data(contentsOf: weights)
    content[content.count / 2] ^= 1
    try content.write(to: weights)
    #expect(message(request).text.contains("has the U-Net of --model"))
    content[content.count / 2] ^= 1
    try content.write(to: weights)
    let picture = URL(fileURLWithPath: try #require(request.data)).appending(path: "images/1.png")
    // A text chunk's letter: the same pixels and bytes, another file.
    let other = try SmallTraining.picture(1, comment: "b")
    try SmallTraining.picture(1, comment: "a").write(to: picture)
    #expect(message(request).text.contains("has --data 1.png ("))
    request.resumes = false
    request.overwrites = true
    try TrainJob(request, .silent).run()
    try other.write(to: picture)
    (request.resumes, request.overwrites) = (true, false)
    let error = message(request).text
    #expect(error.contains("has --data 1.png (") && error.contains("this run has 1.png ("), "\(error)")
  }

  @Test func concurrentRunsAreRefused() throws {
    let job = try TrainJob(small(), .silent)
    // `run.pth` would have the same state and log.
    let other = URL(fileURLWithPath: scratch.path("run"))
    try OutputLock.holding(other, .silent) {
      let error = #expect(throws: CommandError.self) { try job.run() }
      #expect(error?.message.contains("another run (process \(getpid())) is writing") == true)
    }
    try job.run()
    #expect(!scratch.names.contains { $0.hasSuffix(".lock") })
    let pretrain = PretrainRequest(data: scratch.path("data/images"), output: scratch.path("model"))
    try OutputLock.holding(URL(fileURLWithPath: scratch.path("model")), .silent) {
      #expect(throws: CommandError.self) { try PretrainJob(pretrain, .silent).run() }
    }
    #expect(!FileManager.default.fileExists(atPath: pretrain.output))
  }

  /// States come quickly at first, and never later than asked for.
  @Test func savesByTheClock() {
    var clock = SaveClock(longest: 300, now: 50)
    var saved: [Int] = []
    for second in 0..<2000 {
      let now = Double(50 + second)
      if clock.isDue(now) {
        saved.append(second)
        clock.saved(now)
      }
    }
    #expect(saved == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 812, 1112, 1412, 1712])
  }

  /// Files with a number hold the concept after as many steps; the last one is the concept itself.
  @Test func conceptsAreKeptByNumber() throws {
    var request = try small(steps: 4)
    (request.keepInterval, request.rateShape) = (2, .constant)
    try TrainJob(request, .silent).run()
    #expect(scratch.names.filter { $0.contains("-step") } == ["run-step00000002.safetensors"])
    var short = request
    (short.output, short.steps) = (scratch.path("short.safetensors"), 2)
    try TrainJob(short, .silent).run()
    #expect(try tensors("run-step00000002.safetensors") == tensors("short.safetensors"))
    #expect(try tensors("run.safetensors") != tensors("short.safetensors"))
  }

  private func tensors(_ name: String) throws -> [String: [Float]] {
    let file = try SafetensorsFile(URL(fileURLWithPath: scratch.path(name)))
    let pairs = try file.entries.map { ($0.name, try file.array($0.name).floats) }
    return Dictionary(uniqueKeysWithValues: pairs)
  }

  /// Numbers that would make others no numbers, before anything is computed.
  @Test(arguments: [Double.nan, .infinity, -1]) func badNumbers(value: Double) throws {
    let request = try small()
    for path in [
      \TrainRequest.learningRate, \.unetRate, \.textEncoderRate, \.embeddingRate, \.averageDecay,
      \.noiseOffset, \.attentionWeight,
    ] {
      var bad = request
      bad[keyPath: path] = value
      #expect(message(bad).status == .usage, "\(path)")
    }
    var bad = request
    bad.saveSeconds = value
    #expect(message(bad).status == .usage)
    bad = request
    bad.alpha = value
    if !value.isFinite { #expect(message(bad).status == .usage) }
    for path in [\PretrainRequest.denoiser, \.autoencoder] {
      for number in [
        \PretrainingRecipe.learningRate, \.averageDecay, \.weightDecay, \.gradientNorm,
      ] where number != \.gradientNorm || value != .infinity {
        var bad = PretrainRequest(data: "none", output: scratch.path("model"))
        bad[keyPath: path][keyPath: number] = value
        let error = #expect(throws: CommandError.self) { try PretrainJob(bad, .silent).run() }
        #expect(error?.status == .usage, "\(number)")
      }
    }
    #expect(scratch.names == ["data"])
  }

  /// A step whose parameters overflow is not taken, and the state before it stays.
  @Test func anOverflowingStepIsNotTaken() throws {
    var request = try small()
    request.saveInterval = 1
    try TrainJob(request, .silent).run()
    let before = try bytes("run.state.safetensors")
    request.output = scratch.path("wild.safetensors")
    request.unetRate = 1e308
    let error = message(request)
    #expect(error.status == .failure)
    #expect(
      error.text.contains("step 1: the parameters of the group 'unet' are no longer finite"),
      "\(error.text)")
    #expect(!scratch.names.contains { $0 == "wild.safetensors" || $0 == "wild.state.safetensors" })
    #expect(try bytes("run.state.safetensors") == before)
  }

  /// What the run needs later is known to be there before it begins.
  @Test func everythingIsCheckedFirst() throws {
    let request = try small()
    func refusal(_ change: (inout TrainRequest) throws -> Void) throws -> String {
      var bad = request
      try change(&bad)
      do {
        _ = try TrainJob(bad, .silent)
        return ""
      } catch {
        return String(describing: error)
      }
    }
    for prompt in ["a <zzz>", "a <dog1> <dog3>", "a dog <lora:none>"] {
      let text = try refusal { ($0.previewInterval, $0.previewPrompts) = (1, [prompt]) }
      #expect(text.hasPrefix("--preview-prompt '\(prompt)': "), "\(text)")
    }
    for name in ["run.log.jsonl", "run.loss.svg", "run.step-1.png", "run-step00000001.safetensors"] {
      let place = scratch.url.appending(path: name)
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: false)
      let text = try refusal { ($0.previewInterval, $0.keepInterval) = (1, 1) }
      #expect(text.contains("\(name)': it is a directory"), "\(name): \(text)")
      try FileManager.default.removeItem(at: place)
    }
    #expect(try refusal { $0.start = "wordthatisnotthere" }.contains("expected a word that is one token"))
    #expect(try refusal { ($0.steps, $0.epochs) = (2, 2) } == "--steps and --epochs exclude each other")
    #expect(try refusal { ($0.alpha, $0.networkAlpha) = (1, 1) }.contains("exclude each other"))
    // Numbered files of every step of a long run fit on no disk.
    #expect(
      try refusal { ($0.steps, $0.keepInterval, $0.rank) = (10_000_000, 1, 256) }
        .contains("free on the disk"))
    #expect(try refusal { _ in }.isEmpty)
  }
}
