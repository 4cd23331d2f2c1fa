import Foundation
import MoscDiffusion
import TestSupport
import Testing

@Suite struct CommandLineTests {
  @Test func helpsAndTellsItsVersion() throws {
    let help = try MoscProgram.run("--help")
    #expect(help.status == 0 && help.output.contains("sample") && help.errors.isEmpty)
    let version = try MoscProgram.run("--version")
    #expect(version.status == 0 && version.output.contains("LLVM 19"))
    #expect(try MoscProgram.run("sample", "--help").output.contains("--negative-prompt"))
  }

  /// Of two options with one name a command would read only one.
  @Test(arguments: [
    "sample", "train", "fuse", "pretrain", "grid", "sketch", "inspect", "compile", "opt", "run",
    "bench", "reduce", "fuzz", "replay", "doctor",
  ])
  func optionsOfACommandDiffer(command: String) throws {
    let help = try MoscProgram.run(command, "--help-hidden").output
    let names = help.split(separator: "\n").filter { $0.hasPrefix("  -") }.flatMap { line in
      // The names end where the value or the help begins.
      line.split(separator: "  ").first.map { $0.prefix { $0 != "<" } }
        .map { $0.split(separator: ", ").map { $0.trimmingCharacters(in: .whitespaces) } } ?? []
    }
    let twice = Dictionary(grouping: names) { $0 }.filter { $0.value.count > 1 }.keys
    #expect(!names.isEmpty && twice.isEmpty, "\(twice.sorted())")
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/taskset")))
  func threadsAreThoseOfTheProcessorsThatMayBeUsed() throws {
    let doctor = [MoscProgram.url.path, "doctor"]
    let outcome = try MoscProgram.run("/usr/bin/taskset", ["-c", "0"] + doctor)
    #expect(outcome.output.contains("threads     1 (of 1 processors)"), "\(outcome.output)")
  }

  @Test(arguments: [
    ["paint"], ["sample"], ["sample", "-p", "a cat", "--stepz", "3"],
    ["sample", "-p", "a cat", "--seed", "seven"], ["sample", "-p", "a cat", "--size", "64"],
    ["sample", "-p", "a cat", "--size", "64x64", "-W", "64"],
    ["sample", "-p", "a cat", "--type", "int3"], ["sample", "-p", "a cat", "-t", "0"],
    ["sample", "-p", "a cat", "--steps", "0"],
    ["sample", "-p", "a cat", "--sampler", "magic"],
    ["sample", "-p", "a cat", "--scheduler", "magic"],
    ["sample", "-p", "a cat", "--sigmas", "14,much"], ["sample", "-p", "a cat", "--sigmas", "1,2"],
    ["sample", "-p", "a cat", "--sigmas", "0"], ["sample", "-p", "a cat", "--sigmas", "3,nan,1"],
    ["sample", "-p", "a cat", "--sigmas", "9,1", "--sampler", "ddim"],
    ["sample", "-p", "a cat", "--eta", "0.5"], ["sample", "-p", "a cat", "--eta", "2", "--sampler", "tcd"],
    ["sample", "-p", "a cat", "--rng", "dice"],
    ["sample", "-p", "a cat", "-W", "63", "-H", "64"],
    ["sample", "-p", "a cat", "--batch-size", "0"],
    ["sample", "-p", "a cat", "--clip-skip", "0"],
    ["sample", "-p", "a cat", "--mcpu", "z80"],
    ["run", "unet"], ["run", "painter", "--in", "a", "--out", "b"],
    ["bench", "painter"], ["bench", "unet", "--runs", "0"], ["bench", "unet", "--latent", "64"],
    ["fuse"], ["fuse", ":1"], ["train", "-o", "a.pth", "--max-ram", "much"],
    ["compile", "unet", "--emit", "gold"], ["opt", "--passes", "gild", "-"],
  ])
  func refusesWrongCommandLines(arguments: [String]) throws {
    let scratch = Scratch()
    var arguments = arguments
    if arguments.contains("-p") { arguments += ["-o", scratch.path("a.png")] }
    let outcome = try MoscProgram.run(arguments)
    #expect(outcome.status == 2, "\(arguments): \(outcome.errors)")
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.contains("rror: "))
    #expect(scratch.names.isEmpty)
  }

  /// A picture of the embedded model, in few steps and from a prompt that is far too long.
  @Test func drawsWithTheEmbeddedModel() throws {
    let scratch = Scratch()
    let prompt = [String](repeating: "fox", count: 10_000).joined(separator: " ")
    try prompt.write(toFile: scratch.path("p.txt"), atomically: true, encoding: .utf8)
    let outcome = try MoscProgram.run(
      "sample", "--prompt-file", scratch.path("p.txt"), "--prompt-syntax", "plain", "--steps", "2",
      "--seed", "0", "--log-format", "json", "--cache-dir", scratch.path("cache"), "-o", scratch.path("a.png"))
    #expect(outcome.status == 0 && outcome.output == scratch.path("a.png") + "\n", "\(outcome.errors)")
    #expect(outcome.errors.contains("cut off"))
    for line in outcome.errors.split(separator: "\n") {
      #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
    }
    #expect(scratch.names == ["a.png", "cache", "p.txt"])
    let info = try MoscProgram.run("inspect", scratch.path("a.png"))
    #expect(info.status == 0 && info.output.contains("128x128") && info.output.contains("Steps: 2"))
  }

  @Test func interruptionLeavesNothing() throws {
    let scratch = Scratch()
    let status = try MoscProgram.interrupt(
      ["sample", "-p", "a cat", "--steps", "400", "--no-cache", "-o", scratch.path("a.png")],
      when: "denoising 1/")
    #expect(status == 130)
    #expect(scratch.names.isEmpty)
  }

  @Test func graphsGoThroughOptUnchanged() throws {
    let graph = try MoscProgram.run("compile", "unet", "--latent", "16x16", "--batch", "1", "-q")
    #expect(graph.status == 0)
    let again = try MoscProgram.run(["opt", "-"], input: graph.output)
    #expect(again.status == 0 && again.output == graph.output)
  }

  @Test func unknownSamplersListTheKnown() throws {
    let outcome = try MoscProgram.run("sample", "-p", "a cat", "--sampler", "magic")
    #expect(outcome.errors.contains("magic") && outcome.errors.contains("Euler a"))
  }
}
