import Foundation
import TestSupport
import Testing

/// Every error is one sentence behind `error:`; a line of usage follows where the command line is at fault.
@Suite struct ErrorStyleTests {
  private func errors(_ arguments: [String], _ status: Int32) throws -> [String] {
    let outcome = try MoscProgram.run(arguments)
    #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
    #expect(outcome.output.isEmpty, "\(arguments): \(outcome.output)")
    return outcome.errors.split(separator: "\n").map(String.init)
  }

  @Test(arguments: [
    (["sample", "-p", "a", "--sampler", "magic"], "sample"), (["sample", "-p", "a", "--seed", "seven"], "sample"),
    (["sample", "-p", "a", "-W", "63"], "sample"), (["bench", "unet", "--runs", "0"], "bench"),
    (["fuse"], "fuse"), (["opt", "--passes", "gild", "-"], "opt"), (["cache", "limit", "much"], "cache limit"),
    (["replay", "record", "x"], "replay record"), (["train"], "train"), (["grid"], "grid"),
  ])
  func usage(arguments: [String], command: String) throws {
    let lines = try errors(arguments, 2)
    #expect(lines.count >= 2 && lines[0].hasPrefix("error: "), "\(lines)")
    #expect(lines.last == "usage: mosc \(command) …; 'mosc help \(command)' lists the options")
    #expect(!lines.joined().contains("Error:") && !lines.joined().contains("Usage:"))
  }

  @Test(arguments: [["inspect", "none"], ["sample", "-p", "a", "-m", "none"], ["opt", "none.mos"]])
  func failures(arguments: [String]) throws {
    let lines = try errors(arguments, 1)
    #expect(lines.count == 1 && lines[0].hasPrefix("error: "), "\(lines)")
  }

  @Test(arguments: ["nosuch", "paint", "x"])
  func unknownCommands(name: String) throws {
    for arguments in [[name], ["help", name], ["cache", name], ["help", "replay", name]] {
      let lines = try errors(arguments, 2)
      #expect(lines.count == 2 && lines[0].contains("unknown command '\(name)'; there are"), "\(lines)")
    }
    #expect(try errors(["sampel"], 2)[0].hasSuffix("did you mean 'sample'?"))
    #expect(try MoscProgram.run("help", "sample").status == 0)
    #expect(try MoscProgram.run("help").output.contains("SUBCOMMANDS"))
  }

  @Test func suggestionsAreClose() throws {
    func first(_ option: String) throws -> String { try errors(["sample", "-p", "a", option, "3"], 2)[0] }
    for option in ["--zzz", "--qwertz"] {
      #expect(try first(option) == "error: unknown option '\(option)'")
    }
    for (option, meant) in [("--stpes", "--steps"), ("--neg", "--negative-prompt"), ("--Seed", "--seed"), ("--cfg-scal", "--cfg-scale")] {
      #expect(try first(option) == "error: unknown option '\(option)'; did you mean '\(meant)'?")
    }
  }

  @Test func asJSON() throws {
    for arguments in [["sample", "--log-format", "json", "-p", "a", "-W", "63"], ["sample", "--log-format=json", "--nosuch"]] {
      let lines = try errors(arguments, 2)
      #expect(lines.count == 1)
      let object = try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: String]
      #expect(object?["event"] == "error")
    }
  }

  /// Who reads no further is told nothing, and the command ends as others in a pipe.
  @Test(arguments: [
    "compile unet --emit=graph", "opt --list-passes", "inspect --tensors", "doctor", "cache list", "compile --emit=help",
    "sample -p a -s 1 --steps 1 -W 16 -H 16 -o -",
  ])
  func closedPipes(command: String) throws {
    let line = "\(MoscProgram.url.path) \(command)"
    // The reader is gone before the first byte.
    let closed = try MoscProgram.run("/bin/bash", ["-c", "{ sleep 0.2; \(line); echo \"ended ${?}\" >&2; } | true"])
    let said = closed.errors.split(separator: "\n").filter { !$0.hasPrefix("warning") && !$0.contains(": seed") }
    #expect(said.last == "ended 141", "\(closed.errors)")
    #expect(!closed.errors.contains("error"), "\(closed.errors)")
  }

  @Test func fullDisksAreErrors() throws {
    for command in ["opt --list-passes", "inspect", "compile unet"] {
      let outcome = try MoscProgram.run("/bin/bash", ["-c", "\(MoscProgram.url.path) \(command) > /dev/full"])
      #expect(outcome.status == 1 && outcome.errors.contains("No space left"), "\(command): \(outcome.errors)")
    }
  }

  /// Options that change nothing are not shown.
  @Test func helpIsOfTheCommand() throws {
    for (command, absent) in [("fuse", ["--lora ", "--lora-mode"]), ("bench", ["--lora "]), ("train", ["--lora-mode", "--lora-model-dir"])] {
      let help = try MoscProgram.run(command, "--help").output
      for option in absent { #expect(!help.contains(option), "\(command) \(option)") }
    }
    #expect(try MoscProgram.run("train", "--help").output.contains("--lora "))
    #expect(try MoscProgram.run("sample", "--help").output.contains("--lora-model-dir"))
  }
}
