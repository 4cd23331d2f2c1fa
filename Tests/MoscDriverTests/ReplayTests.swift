import Foundation
import TestSupport
import Testing

/// Recording the kernels of a run and comparing them with another build's.
@Suite struct ReplayTests {
  private let scratch = Scratch()

  private func mosc(_ arguments: String...) throws -> MoscProgram.Outcome {
    try MoscProgram.run(arguments)
  }

  private func replace(_ old: String, _ new: String, in file: String) throws {
    let text = try String(contentsOfFile: file, encoding: .utf8)
    #expect(text.contains(old))
    try text.replacingOccurrences(of: old, with: new)
      .write(toFile: file, atomically: true, encoding: .utf8)
  }

  /// A recording of two programs; another build is imitated by changing what it holds.
  @Test func aChangeShows() throws {
    let folder = scratch.path("before")
    let record = try mosc(
      "replay", "record", folder, "sample", "-p", "a dog", "--steps=1", "--size=64x64",
      "--type=f32", "-o", scratch.path("a.png"))
    #expect(record.status == 0, "\(record.errors)")
    #expect(FileManager.default.fileExists(atPath: scratch.path("a.png")))
    let stems = try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasSuffix(".json") }.sorted().map { $0.dropLast(5) }
    #expect(stems.count >= 3 && stems.contains { $0.hasSuffix("_unet") })

    let same = try mosc("replay", "compare", folder)
    #expect(same.status == 0 && !same.output.contains("changed"), "\(same.output)")
    let again = try mosc("replay", "record", folder, "compile", "unet", "--emit=plan")
    #expect(again.status == 2 && again.errors.contains("already holds a recording"))

    let unet = "\(folder)/\(try #require(stems.first { $0.hasSuffix("_unet") }))"
    try replace("silu(%0)", "gelu(%0)", in: "\(unet).kernels.mos")
    let text = try mosc("replay", "compare", folder)
    #expect(text.status == 1 && text.errors.contains("1 of \(stems.count) programs differ"))
    #expect(text.output.contains(" changed\n--- @k") && text.output.contains("gelu(%0)"))
    #expect(text.output.contains("(kernel)\n"))
    try replace("gelu(%0)", "silu(%0)", in: "\(unet).kernels.mos")

    try replace("nounwind", "nounwind optsize", in: "\(unet).ll")
    let code = try mosc("replay", "compare", folder, "--limit=1")
    #expect(code.status == 1 && code.output.contains("(LLVM IR)\n"), "\(code.errors)")
    #expect(code.output.contains(" more; --limit shows them"))
  }

  @Test func mistakes() throws {
    let none = try mosc("replay", "compare", scratch.path("none"))
    #expect(none.status == 1 && none.errors.contains("holds no recording"))
    let command = try mosc("replay", "record", scratch.path("x"))
    #expect(command.status == 2 && command.errors.contains("expected a command"))
    let folder = scratch.path("far")
    let record = try mosc(
      "replay", "record", folder, "compile", "unet", "--latent=8x8", "--emit=plan", "-o",
      scratch.path("plan"))
    #expect(record.status == 0, "\(record.errors)")
    let json = "\(folder)/001_unet.json"
    let text = try String(contentsOfFile: json, encoding: .utf8)
    let processor = try #require(text.firstMatch(of: /"processor": ?"[^"]*"/)?.output)
    try replace(String(processor), #""processor": "m68k ""#, in: json)
    let far = try mosc("replay", "compare", folder)
    #expect(far.status == 1 && far.errors.contains("recorded for m68k"), "\(far.errors)")
  }
}
