import Foundation
import MoscCodegen
import MoscEngine
import MoscFormats
import MoscReport
import TestSupport
import Testing

/// `mosc cache` and `mosc doctor`: what is kept, how much of it, and what mosc stands on.
@Suite struct CacheTests {
  private let scratch = Scratch()
  private var cache: CacheFolder { CacheFolder(scratch.path("cache")) }

  /// Entries of some thousand bytes, the first the oldest, beside files of others.
  private func fill() throws {
    for (index, name) in ["objects/a.mosc-object", "objects/b.mosc-object", "weights/c.mosc-pack", "weights/d.mosc-pack"].enumerated() {
      let place = try scratch.write("cache/\(name)", Data(repeating: 1, count: 3000))
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: Double(index) * 1000)], ofItemAtPath: place.path)
    }
    try scratch.write("cache/kernels/k.mos", Data("x".utf8))
    try scratch.write("cache/notes.txt", Data("mine".utf8))
    try scratch.write("cache/objects/notes.txt", Data("mine".utf8))
    chmod(scratch.path("cache"), 0o700)
  }

  private func run(_ arguments: String..., environment: [String: String] = [:]) throws -> MoscProgram.Outcome {
    try MoscProgram.run(["cache"] + arguments, environment: ["MOSC_CACHE": scratch.path("cache")].merging(environment) { $1 })
  }

  @Test func sizeAndList() throws {
    try fill()
    let size = try run()
    #expect(size.status == 0 && size.output.contains("kernels: 2 files, 6000 bytes"), "\(size.output)\(size.errors)")
    let json = try JSONValue.parse(run("size", "--json").output.utf8, path: "json")
    #expect(json["bytes"]?.int == 12_001 && json["limit"]?.int == 13 << 30)
    #expect(json["parts"]?["packed_weights"]?["entries"]?.int == 2)
    let list = try run("list").output.split(separator: "\n")
    #expect(list.count == 5 && list[0].contains("1970-01-01") && list[0].hasSuffix("a.mosc-object"))
  }

  @Test func clearingLeavesWhatOthersWrote() throws {
    try fill()
    #expect(try run("clear").errors.contains("removed 5 files"))
    let left = try FileManager.default.subpathsOfDirectory(atPath: scratch.path("cache")).sorted()
    #expect(left == ["notes.txt", "objects", "objects/notes.txt"])
    try FileManager.default.removeItem(atPath: scratch.path("cache"))
    #expect(try run("clear").status == 0)
    #expect(scratch.names.isEmpty)
  }

  @Test func limits() throws {
    try fill()
    #expect(try run("limit", "much").status == 2)
    // A quarter is for kernels; of each kind what was not used for longest goes.
    #expect(try run("limit", "16K").status == 0)
    #expect(try cache.limit() == CacheFolder.Limit(bytes: 16384, origin: "set by 'mosc cache limit'"))
    #expect(cache.parts.map { $0.files.map(\.url.lastPathComponent) } == [["b.mosc-object"], ["c.mosc-pack", "d.mosc-pack"], ["k.mos"]])
    let said = try run(environment: ["MOSC_CACHE_LIMIT": "8K"])
    #expect(said.output.contains("8192 bytes (MOSC_CACHE_LIMIT)"), "\(said.output)")
    let wrong = try run(environment: ["MOSC_CACHE_LIMIT": "big"])
    #expect(wrong.status == 2 && wrong.errors.contains("MOSC_CACHE_LIMIT='big'"))
    let sample = try MoscProgram.run(
      ["sample", "-p", "a fox", "-o", scratch.path("a.png")], environment: ["MOSC_CACHE_LIMIT": "0"])
    #expect(sample.status == 2 && sample.errors.contains("MOSC_CACHE_LIMIT"))
    #expect(try run("limit", "default").status == 0)
    #expect(try cache.limit().bytes == 13 << 30)
    try scratch.write("cache/limit", Data("nonsense".utf8))
    #expect(throws: FormatError.self) { try cache.limit() }
  }

  @Test func runsKeepTheLimit() throws {
    let outcome = try MoscProgram.run(
      ["compile", "unet", "--emit=asm", "--cache-dir", scratch.path("cache"), "-o", "/dev/null"])
    #expect(outcome.status == 0)
    let small = ["sample", "-p", "a fox", "-s", "1", "--steps", "1", "-W", "16", "-H", "16", "-o", scratch.path("a.png"),
      "--cache-dir", scratch.path("cache")]
    #expect(try MoscProgram.run(small, environment: ["MOSC_CACHE_LIMIT": "200K"]).status == 0)
    #expect(cache.parts[0].entries > 0 && cache.parts[0].bytes <= 50 << 10)
  }

  /// Files of processes that were killed while they wrote go; those of living ones stay.
  @Test func abandonedFilesGo() throws {
    let folder = PrivateFolder(scratch.url.appending(path: "f"))
    try folder.write(Data("x".utf8), as: "a")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a"])
    let dead = try MoscProgram.run("--version").process
    for name in ["k.\(dead).part", ".dat.nosync\(String(dead, radix: 16)).abc", "k.\(getpid()).part", "other"] {
      try scratch.write("f/\(name)", Data("x".utf8))
    }
    folder.removeAbandoned()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() == ["a", "k.\(getpid()).part", "other"])
    #expect { try PrivateFolder(URL(fileURLWithPath: "/proc/x")).write(Data(), as: "a") } throws: {
      !"\($0)".contains("NSCocoa") && "\($0)".contains("cannot be written")
    }
  }

  @Test(arguments: [
    ["compile", "unet", "--emit=obj", "-o", "/proc/none/x"], ["sample", "-p", "a fox", "-g", "--steps", "1", "--cache-dir", "/proc/none", "-o", "/dev/null"],
    ["sample", "-p", "a <lora:x>", "--lora-dir", "/proc/none"],
  ])
  func foldersThatCannotBeMade(arguments: [String]) throws {
    let outcome = try MoscProgram.run(arguments)
    #expect(outcome.status == 1 && outcome.errors.contains("/proc/none"), "\(outcome.errors)")
    #expect(!outcome.errors.contains("Domain") && outcome.errors.split(separator: "\n").count { $0.hasPrefix("error") } == 1)
  }

  @Test func doctorAsJSON() throws {
    let outcome = try MoscProgram.run("doctor", "--json")
    let json = try JSONValue.parse(outcome.output.utf8, path: "doctor")
    #expect(json["LLVM"]?.string?.hasPrefix("19") == true && json["program"]?.string == MoscProgram.url.path)
    #expect(json["ok"]?.bool == (json["problems"]?.array?.isEmpty == true))
    #expect((json["ok"]?.bool == true) == (outcome.status == 0))
    try FileManager.default.createDirectory(atPath: scratch.path("open"), withIntermediateDirectories: true)
    chmod(scratch.path("open"), 0o777)
    let open = try MoscProgram.run("doctor", "--cache-dir", scratch.path("open"))
    #expect(open.status == 1 && open.output.contains("others may write"))
  }

  /// The program alone, without what lies beside it.
  @Test func doctorMissesTheModel() throws {
    try FileManager.default.copyItem(at: MoscProgram.url, to: scratch.url.appending(path: "mosc"))
    let outcome = try MoscProgram.run(scratch.path("mosc"), ["doctor"])
    #expect(outcome.status == 1 && outcome.output.contains("problem: ") && outcome.output.contains("is not beside the program"))
  }
}
