import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscReport
import MoscRuntime
import Synchronization
import TestSupport
import Testing

/// Packed weights kept on disk: found again, never trusted blindly, thrown away in turn.
@Suite struct PackedWeightsTests {
  private let scratch = Scratch()

  private func cache(_ maximumBytes: Int = 1 << 30) -> PackedWeights {
    PackedWeights(folder: scratch.url.appending(path: "weights"), maximumBytes: maximumBytes)
  }

  private func buffer(_ count: Int, seed: UInt8 = 1) throws -> AlignedBuffer {
    let buffer = try AlignedBuffer(byteCount: count)
    for index in 0..<count {
      buffer.address.storeBytes(
        of: UInt8(truncatingIfNeeded: index &* 31) ^ seed, toByteOffset: index, as: UInt8.self)
    }
    return buffer
  }

  private func bytes(_ buffer: AlignedBuffer) -> [UInt8] {
    [UInt8](UnsafeRawBufferPointer(start: buffer.address, count: buffer.byteCount))
  }

  private func file(_ key: String) -> URL {
    scratch.url.appending(path: "weights/\(key).mosc-pack")
  }

  @Test(arguments: [64, 1000, 4096, 70_001]) func valuesComeBack(_ count: Int) throws {
    let (cache, value) = (cache(), try buffer(count))
    guard case .miss = cache.value("a", byteCount: count) else { throw Unexpected() }
    #expect(cache.write("a", value))
    guard case .hit(let found) = cache.value("a", byteCount: count) else { throw Unexpected() }
    #expect(bytes(found) == bytes(value) && Int(bitPattern: found.address) % 64 == 0)
  }

  @Test func everyDamageIsSeen() throws {
    let (cache, value) = (cache(), try buffer(10_007))
    #expect(cache.write("a", value))
    let whole = try Data(contentsOf: file("a"))
    var broken = [whole.dropLast(), Data(), whole + [0]]
    for place in [0, 9, 17, 4096, 4096 + 5000, whole.count - 1] {
      var copy = whole
      copy[place] ^= 0x10
      broken.append(copy)
    }
    // Two words that change places keep their sum.
    var swapped = whole
    swapped.replaceSubrange(4096..<4160, with: whole[4160..<4224])
    swapped.replaceSubrange(4160..<4224, with: whole[4096..<4160])
    broken.append(swapped)
    for data in broken {
      try data.write(to: file("a"))
      switch cache.value("a", byteCount: 10_007) {
      case .damaged(let reason): #expect(reason.contains("a.mosc-pack"))
      case .miss: #expect(data.isEmpty)
      case .hit: Issue.record("damage is not seen")
      }
    }
    #expect(cache.write("a", value))
    #expect(try Data(contentsOf: file("a")) == whole)
  }

  @Test func whatWasNotUsedForLongestGoes() throws {
    let cache = cache(2 * (4096 + 5000))
    for (age, key) in ["a", "b", "c"].enumerated() {
      #expect(cache.write(key, try buffer(5000)))
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: 1e9 + Double(age))],
        ofItemAtPath: file(key).path)
    }
    // A use makes it the newest.
    guard case .hit = cache.value("a", byteCount: 5000) else { throw Unexpected() }
    let (dead, alive) = (file("x").path + ".999999999.part", file("x").path + ".\(getpid()).part")
    for path in [dead, alive] { try Data([1]).write(to: URL(filePath: path)) }
    #expect(cache.trim() == 1)
    guard case .miss = cache.value("b", byteCount: 5000) else { throw Unexpected() }
    #expect(!FileManager.default.fileExists(atPath: dead))
    #expect(FileManager.default.fileExists(atPath: alive))
  }

  /// A program whose packed weights are found computes the same bits as one that packs them.
  @Test func programsComputeTheSame() throws {
    let log = Mutex("")
    func run() throws -> [HostArray] {
      let compiler = try compiler { text in log.withLock { $0 += text } }
      let components = try ModelComponents(ModelOptions(), compiler)
      let width = try components.model.unet().config.contextWidth
      let program = try components.program(.unet(UNet.Shape(batch: 1, height: 8, width: 8)))
      func numbers(_ shape: [Int]) -> HostArray {
        HostArray((0..<shape.reduce(1, *)).map { Float($0 % 17) / 9 - 1 }, shape: shape)
      }
      return try program.run([
        "sample": numbers([1, 8, 8, 4]), "timestep": HostArray([Float(500)], shape: [1]),
        "encoder_hidden_states": numbers([1, 77, width]),
      ]).sorted { $0.key < $1.key }.map(\.value)
    }
    func files() -> [String] {
      let names = try? FileManager.default.contentsOfDirectory(atPath: scratch.path("cache/weights"))
      return (names ?? []).filter { $0.hasSuffix(".mosc-pack") }.sorted()
    }
    let first = try run()
    let unet = try UNetLoad(try compiler { _ in })
    let cache = PackedWeights(folder: scratch.url.appending(path: "cache/weights"))
    let kept = unet.load.outputs.count { $0.type.byteCount() >= cache.minimumBytes }
    #expect(kept > 4)
    #expect(unet.isWritten(kept, to: cache))
    let second = try run()
    #expect(second == first && log.withLock { $0.isEmpty })

    // The program reads the files: another number in one changes its result or is refused.
    let url = URL(filePath: scratch.path("cache/weights/\(files()[0])"))
    var data = try Data(contentsOf: url)
    data[5000] ^= 0x40
    try data.write(to: url)
    let third = try run()
    #expect(third == first)
    #expect(log.withLock { $0 }.contains("has a wrong checksum; packed again"))
  }

  private func compiler(_ sink: @escaping @Sendable (String) -> Void) throws -> Compiler {
    var options = CompilationOptions()
    options.cacheFolder = scratch.path("cache")
    return try Compiler(
      options, precision: .f32, Reporter(verbosity: .quiet, sink: { sink($0) }))
  }

  /// What only kept values need, such as the joined filters of an upsampler, is not computed again.
  @Test func nothingIsComputedForKeptValues() throws {
    let unet = try UNetLoad(try compiler { _ in })
    let load = unet.load
    let cache = PackedWeights(folder: scratch.url.appending(path: "all"), minimumBytes: 1)
    let first = unet.plan(cache)
    #expect(first.skipped.isEmpty && first.found.isEmpty)
    let arena = try AlignedBuffer(byteCount: load.executable.arenaBytes)
    let bound = try BoundFunction(
      load, inputs: [:], weights: WeightFiles(unet.source), arena: arena)
    try bound.run(pool: unet.compiler.pool)
    first.store(bound.outputs)
    #expect(unet.isWritten(load.outputs.count, to: cache))
    let plan = unet.plan(cache)
    #expect(load.written.contains { !$0.contains { value in bound.outputs[value.name] != nil } })
    #expect(plan.skipped == Set(load.written.indices))

    // One value that is gone brings back what it is computed from, and no more.
    let joined = try #require(
      load.written.indices.last { launch in
        load.executable.launches[launch].arguments.contains {
          if case .arena = $0 { true } else { false }
        }
      })
    let value = try #require(load.written[joined].first { bound.outputs[$0.name] != nil })
    var missing: [Int] = []
    let files = try FileManager.default.contentsOfDirectory(
      at: cache.folder, includingPropertiesForKeys: [.fileSizeKey])
    for file in files
    where try file.resourceValues(forKeys: [.fileSizeKey]).fileSize == 4096 + value.type.byteCount() {
      let aside = scratch.url.appending(path: "aside")
      try FileManager.default.moveItem(at: file, to: aside)
      let plan = unet.plan(cache)
      if plan.found[value.name] == nil { missing.append(load.written.count - plan.skipped.count) }
      try FileManager.default.moveItem(at: aside, to: file)
    }
    #expect(missing.count == 1 && missing[0] > 1 && missing[0] < 8)
  }

  private struct Unexpected: Error {}
}

/// What a small U-Net of the embedded model computes at load.
private struct UNetLoad {
  let compiler: Compiler
  let source: ModelProgram
  let load: LinkedFunction

  init(_ compiler: Compiler) throws {
    self.compiler = compiler
    source = try ModelComponents(ModelOptions(), compiler).model.program(
      .unet(UNet.Shape(batch: 1, height: 8, width: 8)))
    load = try #require(try compiler.compile(source.module, function: source.function.name).load)
  }

  /// What is on disk, and what is to be computed.
  func plan(_ cache: PackedWeights) -> LoadPlan {
    LoadPlan(load, WeightFiles(source), cache, pool: compiler.pool)
  }

  /// Waits for what is written in the background; false after a minute without so many values.
  func isWritten(_ count: Int, to cache: PackedWeights) -> Bool {
    for _ in 0..<300 {
      if plan(cache).found.count == count { return true }
      Thread.sleep(forTimeInterval: 0.2)
    }
    return false
  }
}
