import Foundation
import TestSupport
import Testing

/// What is printed for people names what it is.
@Suite struct DumpTests {
  private let scratch = Scratch()
  private let module = """
    mosc 1
    stage tensor

    func @f(%x: f32[2,8]) -> (y: f32[2,8]) {
      %s = silu(%x) : f32[2,8]
      %y = neg(%s) : f32[2,8]
      return %y
    }

    """

  private func compile(_ arguments: String...) throws -> MoscProgram.Outcome {
    try MoscProgram.run(["compile", "-"] + arguments, input: module)
  }

  @Test func functionsAreNamedAfterKernels() throws {
    for (stage, marks) in [
      ("llvm", ["define internal void @k0.", "define void @k0."]), ("llvm-opt", ["define void @k0."]), ("asm", ["k0."]),
    ] {
      let text = try compile("--emit=\(stage)").output
      for mark in marks { #expect(text.contains(mark), "\(stage): \(text.prefix(300))") }
      #expect(!text.contains("@body("))
    }
    #expect(try compile("--emit=obj", "-o", scratch.path("obj")).status == 0)
    let name = try #require(try FileManager.default.contentsOfDirectory(atPath: scratch.path("obj")).first)
    let object = try Data(contentsOf: scratch.url.appending(path: "obj/\(name)"))
    #expect(object.range(of: Data("\(name.dropLast(2)).kernel".utf8)) != nil)
  }

  /// Names would make equal kernels different entries of the cache.
  @Test func cachesKnowNoNames() throws {
    let cache = scratch.path("cache")
    func entries(_ name: String) throws -> [String] {
      let text = module.replacing("@f", with: "@\(name)").replacing("%s", with: "%\(name)s")
      try SafetensorsInput.write(to: scratch.url.appending(path: "x.safetensors"))
      let place = try scratch.write("\(name).mos", text)
      let run = try MoscProgram.run(
        ["run", place.path, "--in", "x.safetensors", "--out", "y.safetensors", "--cache-dir", cache], in: scratch)
      #expect(run.status == 0, "\(run.errors)")
      return try FileManager.default.contentsOfDirectory(atPath: "\(cache)/objects").sorted()
    }
    let first = try entries("f")
    #expect(try !first.isEmpty && entries("g") == first)
  }

  @Test func largeModulesSayHowToCompareThem() throws {
    let folder = scratch.path("dump")
    #expect(try MoscProgram.run("compile", "unet", "--latent=16x16", "--emit=kernels", "--dump-dir", folder, "-o", "/dev/null").status == 0)
    let page = try String(contentsOfFile: "\(folder)/index.html", encoding: .utf8)
    let rows = page.components(separatedBy: "<tr>").dropFirst(2)
    #expect(rows.count > 5)
    // Every change is shown, or said how to see.
    for row in rows where row.contains(">yes") || row.contains("<td>yes") {
      #expect(row.contains("<details>") || row.contains("<code>diff "), "\(row)")
    }
    #expect(page.contains("too large to compare here"))
  }

  @Test func unknownProcessorsNameTheNearest() throws {
    for (name, nearest) in [("znver99", "znver4"), ("skylake-avx51", "skylake-avx512"), ("Haswell", "haswell")] {
      let outcome = try MoscProgram.run("compile", "unet", "--emit=asm", "--mcpu", name)
      #expect(outcome.status == 2 && outcome.errors.contains("--mcpu \(name): LLVM 19"), "\(outcome.errors)")
      #expect(outcome.errors.contains("the nearest that is known is '\(nearest)'") && outcome.errors.contains("'native'"))
    }
    #expect(try !MoscProgram.run("compile", "unet", "--emit=asm", "--mcpu", "z80").errors.contains("nearest"))
  }
}

/// The input of the module.
private enum SafetensorsInput {
  static func write(to url: URL) throws {
    let header = Data("{\"x\":{\"dtype\":\"F32\",\"shape\":[2,8],\"data_offsets\":[0,64]}}".utf8)
    var length = UInt64(header.count).littleEndian
    try (Data(bytes: &length, count: 8) + header + Data(count: 64)).write(to: url)
  }
}
