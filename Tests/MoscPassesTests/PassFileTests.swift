import Foundation
import MoscIR
import MoscPasses
import TestSupport
import Testing

/// Runs the files in `Tests/Files/passes`: `//! test: opt --passes LIST [--target NAME]
/// [--precision TYPE] [--evaluate TOLERANCE]`, then a module with checks of what is printed, and more
/// of them behind `//! next:`.
///
/// Every pass runs twice, and the second run must change nothing. Remarks are printed as comments.
/// With `--evaluate`, functions must compute the same before and after, on seeded random data.
@Suite struct PassFileTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Files/passes")

  static let files: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
    .filter { $0.hasSuffix(".mos") }.sorted()

  struct Settings {
    var passes = ""
    var target = Target.avx512BF16
    var precision = DType.f32
    var tolerance: Double?

    init(_ file: TestFile) throws {
      let targets = ["avx2": Target.avx2, "avx512": .avx512BF16]
      passes = try file.value(of: "--passes") { $0 } ?? passes
      target = try file.value(of: "--target") { targets[$0] } ?? target
      precision = try file.value(of: "--precision") { DType(rawValue: $0) } ?? precision
      tolerance = try file.value(of: "--evaluate") { Double($0) }
    }
  }

  @Test(arguments: files)
  func passes(_ file: String) throws {
    let text = try String(contentsOf: Self.folder.appending(path: file), encoding: .utf8)
    let test = try TestFile(
      file, text, flags: ["opt": ["--passes", "--target", "--precision", "--evaluate"]])
    let settings = try Settings(test)
    for program in test.programs { try check(program, file, settings) }
  }

  private func check(_ program: TestFile.Program, _ file: String, _ settings: Settings) throws {
    let before = try Parser.parse(program.text, file: file)
    var module = before
    var context = PassContext(target: settings.target, precision: settings.precision)
    for pass in try Pipeline.parse(settings.passes) {
      var manager = PassManager([pass])
      try manager.run(&module, &context)
      let once = Printer.print(module)
      var again = PassContext(target: settings.target, precision: settings.precision)
      try manager.run(&module, &again)
      #expect(Printer.print(module) == once, "'\(type(of: pass).name)' changes its own output")
    }
    let output =
      Printer.print(module) + context.remarks.map { "// \($0)\n" }.joined()
    do {
      try FileCheck.check(output, against: program.text)
    } catch {
      Issue.record("\(file): \(error)\n\(output)")
    }
    // What is printed is what is parsed.
    #expect(Printer.print(try Parser.parse(Printer.print(module))) == Printer.print(module))
    if let tolerance = settings.tolerance { try compare(before, module, tolerance) }
  }

  private func compare(_ before: Module, _ after: Module, _ tolerance: Double) throws {
    let weights = Programs.weights(of: before)
    for graph in before.functions {
      let inputs = Programs.inputs(of: graph, seed: 3)
      let expected = try Programs.run(before, graph.name, inputs: inputs, weights: weights)
      let found = try Programs.run(after, graph.name, inputs: inputs, weights: weights)
      for (index, id) in graph.results.enumerated() {
        let name = index < graph.resultNames.count ? graph.resultNames[index] : graph[id].name
        // A result without a label may have got another name.
        let renamed = after[graph.name].map { $0[$0.results[index]].name } ?? name
        let a = try #require(found[name] ?? found[renamed])
        let b = try #require(expected[name])
        #expect(Programs.distance(a, b) <= tolerance, "result '\(name)' of '@\(graph.name)'")
      }
    }
  }

  /// Pass, flag, file and tests have one stem.
  @Test func everyPassHasItsFiles() throws {
    let sources = Self.folder.deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "passes")
    for pass in Registry.all {
      let stem = "\(pass)"
      #expect(FileManager.default.fileExists(atPath: sources.appending(path: "\(stem).swift").path))
      #expect(Self.kebab(stem) == pass.name)
      #expect(Self.files.contains("\(pass.name).mos"), "no positive test of '\(pass.name)'")
      #expect(Self.files.contains("\(pass.name).refusal.mos"), "no refusal of '\(pass.name)'")
    }
    let names = Registry.all.map { $0.name }
    #expect(names == names.sorted())
    #expect(Pipeline.inference.allSatisfy { names.contains($0.pass.name) && !$0.reason.isEmpty })
    let listed = try FileManager.default.contentsOfDirectory(atPath: sources.path)
      .filter { $0.hasSuffix(".swift") && $0 != "Registry.swift" && $0 != "Pipeline.swift" }
    #expect(Set(listed) == Set(Registry.all.map { "\($0).swift" }))
  }

  /// `FoldLoRA` → `fold-lora`.
  private static func kebab(_ stem: String) -> String {
    var result = ""
    for character in stem.replacingOccurrences(of: "LoRA", with: "Lora") {
      if character.isUppercase && !result.isEmpty { result += "-" }
      result += character.lowercased()
    }
    return result
  }
}
