import Foundation
import MoscCodegen
import MoscEngine
import MoscFormats
import MoscIR
import MoscReport

/// One HTML file, without anything from outside, to walk through a compiled program: layer, ops of
/// the graph, what each pass made of them, kernel, LLVM IR, assembly.
package struct ExplorerPage {
  package let name: String
  package let source: Module
  package let lowered: LoweredModule
  /// The module after each pass that changed it.
  package let passes: [(name: String, text: String)]
  /// LLVM IR after optimisation and assembly by kernel.
  package let code: [String: (llvm: String, assembly: String)]
  /// Seconds of a launch by kernel, where they were measured.
  package let seconds: [String: Double]

  /// Compiles a module and keeps everything on the way.
  package init(
    _ source: Module, name: String, _ compiler: Compiler, seconds: [String: Double] = [:]
  ) throws {
    var passes: [(name: String, text: String)] = [("the graph", Printer.print(source))]
    lowered = try compiler.lower(source, name: name) { pass, module in
      let text = Printer.print(module)
      if text != passes.last?.text { passes.append((pass, text)) }
    }
    var code: [String: (llvm: String, assembly: String)] = [:]
    for kernel in lowered.kernels.kernels {
      try Interruption.check()
      func text(_ form: KernelArtifact) throws -> String {
        String(decoding: try compiler.artifact(form, of: kernel), as: UTF8.self)
      }
      code[kernel.name] = (try text(.optimised), try text(.assembly))
    }
    (self.name, self.source, self.passes) = (name, source, passes)
    (self.code, self.seconds) = (code, seconds)
  }

  /// The page: `Resources/explorer.html`, which is part of the program, with the data put in.
  package var html: String {
    // Text within a script element ends at the first closing tag.
    let data = json.description.replacingOccurrences(of: "</", with: "<\\/")
    let frame = String(decoding: PackageResources.explorer_html, as: UTF8.self)
    return frame.replacingOccurrences(of: "/*DATA*/", with: data)
      .replacingOccurrences(of: "/*NAME*/", with: name)
  }

  private var json: JSONValue {
    let kernels = lowered.kernels.kernels
    let places = Dictionary(
      uniqueKeysWithValues: kernels.enumerated().map { ($1.name, $0) })
    return .fields([
      ("name", .string(name)),
      ("kernels", .array(kernels.map(kernel))),
      (
        "passes",
        .array(passes.map { .fields([("name", .string($0.name)), ("text", .string($0.text))]) })
      ),
      // What runs most often comes first.
      (
        "launches",
        .array(lowered.kernels.functions.reversed().flatMap { launches(of: $0, places) })
      ),
    ])
  }

  private func kernel(_ graph: Graph) -> JSONValue {
    let work = Work(of: graph)
    return .fields([
      ("name", .string(graph.name)), ("mos", .string(Printer.print(graph))),
      ("llvm", .string(code[graph.name]?.llvm ?? "")),
      ("asm", .string(code[graph.name]?.assembly ?? "")),
      ("flops", .int(work.flops)), ("bytes", .int(work.bytes)),
      ("ms", seconds[graph.name].map { .rounded($0 * 1e3) } ?? .null),
    ])
  }

  /// The kernel calls of a function with the layers they belong to.
  private func launches(of function: Graph, _ places: [String: Int]) -> [JSONValue] {
    var layer = ""
    return function.order.compactMap { id in
      let node = function[id]
      guard case .call(let call) = node.op, let kernel = places[call.name] else { return nil }
      let results = node.results.map { function[$0].name }
      layer = Self.layer(node, in: function) ?? layer
      return .fields([
        ("part", .string(function.name)), ("layer", .string(layer)),
        ("result", .string(results.joined(separator: ", "))), ("kernel", .int(kernel)),
        ("line", .string(Printer.print(node, in: function))),
      ])
    }
  }

  /// The layer whose weights a call reads, or else what its result is called; nil for a value without
  /// a name of its own, which belongs to what came before.
  private static func layer(_ node: Node, in function: Graph) -> String? {
    let suffixes = [".packed", ".stored", ".weight", ".bias"]
    for operand in node.operands where function[operand].rate == .load {
      var name = function[operand].name
      guard name.contains(".weight") || name.contains(".bias") else { continue }
      while let suffix = suffixes.first(where: name.hasSuffix) { name.removeLast(suffix.count) }
      return name
    }
    return node.results.first.map { function[$0].name }.flatMap { name in
      name.contains(where: \.isLetter) ? name : nil
    }
  }
}
