import Foundation
import Testing

@Suite struct CommandLineTests {
  @Test func helpsAndTellsItsVersion() throws {
    let help = try MoscProgram.run("--help")
    #expect(help.status == 0 && help.output.contains("sample") && help.errors.isEmpty)
    let version = try MoscProgram.run("--version")
    #expect(version.status == 0 && version.output.contains("LLVM 19"))
    #expect(try MoscProgram.run("sample", "--help").output.contains("--negative-prompt"))
  }

  @Test(arguments: [
    ["paint"], ["sample"], ["sample", "-p", "a cat", "--stepz", "3"],
    ["sample", "-p", "a cat", "--seed", "seven"], ["sample", "-p", "a cat", "--size", "64"],
    ["sample", "-p", "a cat", "--size", "64x64", "-W", "64"],
    ["sample", "-p", "a cat", "--type", "int3"], ["sample", "-p", "a cat", "-t", "0"],
    ["sample", "-p", "a cat", "--steps", "0"],
    ["sample", "-p", "a cat", "--sampler", "magic"],
    ["sample", "-p", "a cat", "--scheduler", "magic"],
    ["sample", "-p", "a cat", "--rng", "dice"],
    ["sample", "-p", "a cat", "-W", "63", "-H", "64"],
    ["sample", "-p", "a cat", "--batch-size", "0"],
    ["sample", "-p", "a cat", "--clip-skip", "0"],
    ["sample", "-p", "a cat", "--mcpu", "z80"],
    ["run", "unet"], ["run", "painter", "--in", "a", "--out", "b"],
    ["bench", "painter"], ["bench", "unet", "--runs", "0"], ["bench", "unet", "--latent", "64"],
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

  @Test func unknownSamplersListTheKnown() throws {
    let outcome = try MoscProgram.run("sample", "-p", "a cat", "--sampler", "magic")
    #expect(outcome.errors.contains("magic") && outcome.errors.contains("Euler a"))
  }
}
