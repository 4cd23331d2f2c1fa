import Foundation
import MoscEngine
import MoscFormats
import MoscFuse
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// Which folders and files `mosc fuse` writes to, and what it leaves alone.
@Suite struct FuseFolderTests {
  private let scratch = Scratch()

  private func request(_ method: FusionMethod = .concat) -> FuseRequest {
    var request = FuseRequest()
    request.model = ModelOptions(path: GoldenFile.model, precision: .f32)
    request.compiler.cacheFolder = SharedKernels.folder
    request.inputs = [.concept(AdapterRequest(path: RecordedRun.url("edlora_hina.pth").path))]
    request.output = scratch.path("fused.safetensors")
    request.method = method
    (request.size, request.steps) = (64, 1)
    return request
  }

  private func text(_ name: String) -> String? {
    try? String(contentsOfFile: scratch.path(name), encoding: .utf8)
  }

  private func message(_ request: FuseRequest) -> String {
    do {
      try FuseJob(request, .silent).run()
    } catch {
      return String(describing: error)
    }
    return "no error"
  }

  /// Whatever is at the place of the whole model and not from an earlier fusion stays.
  @Test func fullModelsReplaceNothingOfOthers() throws {
    try scratch.write("file", "mine")
    try scratch.write("folder/new_concept_cfg.json", "mine")
    try scratch.write("listed/mosc_files.json", #"{"files": ["a"]}"#)
    try scratch.write("listed/a", "fuse's")
    try scratch.write("listed/vae/b", "mine")
    let manager = FileManager.default
    try manager.createDirectory(at: scratch.url.appending(path: "target/inner"), withIntermediateDirectories: true)
    for (link, target) in [("link", "target"), ("dangling", "nowhere")] {
      try manager.createSymbolicLink(atPath: scratch.path(link), withDestinationPath: scratch.path(target))
    }
    #expect(mkfifo(scratch.path("pipe"), 0o600) == 0)
    let before = scratch.names
    for (name, words) in [
      ("file", "a file"), ("folder", "new_concept_cfg.json"), ("listed", "'vae/b'"), ("link", "a link"),
      ("link/", "a link"), ("dangling", "a link"), ("pipe", "pipe"), ("target", "'inner'"),
      ("file/x", "Not a directory"), ("", "empty"),
    ] {
      var request = request()
      request.fullModel = name.isEmpty ? "" : scratch.path(name)
      let found = message(request)
      #expect(found.contains(words), "\(name): \(found)")
    }
    #expect(scratch.names == before)
    #expect(text("file") == "mine" && text("folder/new_concept_cfg.json") == "mine" && text("listed/vae/b") == "mine")
    #expect(try manager.destinationOfSymbolicLink(atPath: scratch.path("link")) == scratch.path("target"))
  }

  /// Two runs never write one file or one model.
  @Test func concurrentRunsAreRefused() throws {
    var request = request()
    try OutputLock.holding(URL(fileURLWithPath: request.output), .silent) {
      #expect(message(request).contains("another run (process \(getpid())) is writing"))
    }
    request.fullModel = scratch.path("full")
    try OutputLock.holding(URL(fileURLWithPath: scratch.path("full")), .silent) {
      #expect(message(request).contains("is writing '\(scratch.path("full"))'"))
    }
    #expect(scratch.names.isEmpty)
  }

  /// Statistics that changed on the disk are not believed.
  @Test func damagedStatisticsAreRefused() throws {
    var request = request(.solve)
    request.statistics = scratch.path("stats")
    #expect(message(request) == "no error")
    request.inputs = []
    let folder = scratch.url.appending(path: "stats")
    let name = try #require(
      try FileManager.default.contentsOfDirectory(atPath: folder.path)
        .first { $0.hasSuffix(".text.moments") })
    let file = folder.appending(path: name)
    var content = try Data(contentsOf: file)
    content[content.count - 8] ^= 1
    try content.write(to: file)
    #expect(message(request).contains("is damaged: it does not have the checksum"))
  }

  /// The model of an earlier fusion gives way, whole, and keeps its permissions; its files are the caller's.
  @Test func fullModelsReplaceEarlierOnes() throws {
    var request = request()
    request.fullModel = scratch.path("full")
    #expect(message(request) == "no error")
    #expect(chmod(scratch.path("full"), 0o750) == 0)
    let index = try #require(text("full/model_index.json"))
    try FileManager.default.removeItem(atPath: scratch.path("full/vae/config.json"))
    #expect(message(request) == "no error")
    #expect(text("full/model_index.json") == index && text("full/vae/config.json") != nil)
    var status = stat()
    #expect(stat(scratch.path("full"), &status) == 0 && status.st_mode & 0o777 == 0o750)
    #expect(stat(scratch.path("full/vae/config.json"), &status) == 0 && status.st_uid == geteuid())
    #expect(scratch.names == ["full", "fused.safetensors"])
    // With a file of the user in it, it stays.
    try scratch.write("full/notes.txt", "mine")
    #expect(message(request).contains("'notes.txt'"))
    #expect(text("full/notes.txt") == "mine")
  }

  /// Folders of statistics, named or temporary, are used and removed only when they are ours.
  @Test func statisticsOfOthersStay() throws {
    try scratch.write("fused.safetensors.fusing/notes.txt", "mine")
    try scratch.write("s/edlora_hina.safetensors", "mine")
    try scratch.write("t/fusion.json", "{}")
    let temporary = request(.solve)
    #expect(message(temporary).contains("'notes.txt'"))
    var kept = request(.solve)
    kept.statistics = scratch.path("s")
    #expect(message(kept).contains("'edlora_hina.safetensors'"))
    kept.statistics = scratch.path("t")
    #expect(message(kept).contains("version"))
    #expect(text("fused.safetensors.fusing/notes.txt") == "mine")
    #expect(text("s/edlora_hina.safetensors") == "mine" && text("t/fusion.json") == "{}")
    #expect(scratch.names == ["fused.safetensors.fusing", "s", "t"])
  }

  /// What a user put into the folder of a fusion that was interrupted outlives it.
  @Test func filesAmongStatisticsStay() throws {
    let manifest = #"{"version": 1, "model": "another", "concepts": []}"#
    try scratch.write("fused.safetensors.fusing/fusion.json", manifest)
    try scratch.write("fused.safetensors.fusing/old.text.moments", "x")
    try scratch.write("fused.safetensors.fusing/notes.txt", "mine")
    #expect(message(request(.solve)) == "no error")
    let folder = scratch.path("fused.safetensors.fusing")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["notes.txt"])
  }

  /// Concepts whose names become the same file name keep statistics of their own.
  @Test func namesThatLookAlikeInFiles() throws {
    var both = request(.solve)
    both.statistics = scratch.path("s")
    both.inputs = try ["hina": "a b.pth", "kaori": "a_b.pth"].sorted { $0.key < $1.key }.map { concept, name in
      let place = scratch.url.appending(path: name)
      try AtomicFile.copy(RecordedRun.url("edlora_\(concept).pth"), to: place)
      return .concept(AdapterRequest(path: place.path))
    }
    #expect(message(both) == "no error")
    var one = request(.solve)
    (one.statistics, one.inputs, one.removed) = (scratch.path("s"), [], ["<kaori1>"])
    #expect(message(one) == "no error")
    let words = try AdapterFile(URL(fileURLWithPath: one.output)).words.map(\.text)
    #expect(words == ["<hina1>", "<hina2>"])
    let files = try namesInFolder(scratch.url.appending(path: "s")).filter { $0.hasSuffix(".safetensors") }
    #expect(files == ["a_b-2.safetensors", "a_b.safetensors"])
  }

  /// A change that leaves the range of numbers is an error, and no file is written.
  @Test(arguments: [FusionMethod.concat, .svd, .weighted])
  func numbersThatAreNotFinite(_ method: FusionMethod) throws {
    let file = try AdapterFile(RecordedRun.url("edlora_hina.pth"))
    var layers = file.layers
    layers[2].up = HostArray(layers[2].up.floats.map { $0 * 1e30 }, shape: layers[2].up.shape)
    let concept = scratch.url.appending(path: "large.safetensors")
    try ConceptFile.write(layers, file.words, metadata: [:], to: concept)
    var request = request(method)
    let strength: Float = 1e38
    request.inputs = [.concept(AdapterRequest(path: concept.path, textEncoder: strength, unet: strength))]
    request.fullModel = scratch.path("full")
    #expect(message(request).contains("expected numbers"))
    #expect(scratch.names == ["large.safetensors"])
  }
}
