import Foundation
import MoscDriver
import MoscEngine
import MoscIR
import MoscPasses
import MoscReport
import Synchronization
import TestSupport
import Testing

/// A miscompilation made on purpose: linear maps lose their bias.
private struct DropBias: Pass {
  static let name = "drop-bias"
  static let stages = (from: Stage.tensor, to: Stage.tensor)
  static let isOptional = true

  init(_ options: inout PassOptions) {}

  func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    for index in module.graphs.indices {
      let graph = module.graphs[index]
      module.graphs[index] = try graph.rebuilt { (id, operands, new) throws(Diagnostic) in
        guard case .linear(let op) = graph[id].op, operands.count == 3 else { return nil }
        let name = graph[graph[id].results[0]].name
        return [try new.emit(.linear(op), Array(operands.prefix(2)), name: name)]
      }
    }
  }
}

/// What a reporter said.
private final class Log: Sendable {
  private let text = Mutex("")
  var lines: [Substring] { text.withLock { $0 }.split(separator: "\n") }
  func add(_ more: String) { text.withLock { $0 += more } }
}

@Suite struct ReduceTests {
  private static let block = """
    mosc 1
    stage tensor
    weights @base "w.safetensors"

    func @f(%x: f32[2,3,4], %unused: f32[5]) -> (f32[2,3,4], f32[2,3,8]) {
      %wa = param("a", in: @base) : f32[8,4]
      %wb = param("b", in: @base) : f32[4,8]
      %bias = param("bias", in: @base) : f32[4]
      %h = silu(%x) : f32[2,3,4]
      %u = linear(%h, weight: %wa) : f32[2,3,8]
      %g = gelu(%u) : f32[2,3,8]
      %d = linear(%g, weight: %wb, bias: %bias) : f32[2,3,4]
      %y = add(%d, %x) : f32[2,3,4]
      %z = tanh(%y) : f32[2,3,4]
      return %z, %g
    }

    """

  /// What is left of a planted miscompilation is the op it breaks and its inputs.
  @Test func findsALostBias() throws {
    var options = PassOptions(pass: DropBias.name)
    let module = try Parser.parse(Self.block, file: "block.mos")
    let target = try CompilationTarget(CompilationOptions(), precision: nil)
    let context = PassContext(target: target.passTarget)
    let property = Reducer.differs([try DropBias(&options)], by: 1e-3, context)
    let text = Printer.print(try Reducer(property).reduce(module))
    #expect(text.split(separator: "\n").count <= 12, "\(text)")
    #expect(text.contains("bias: %bias") && !text.contains("gelu") && !text.contains("%unused"))
    // A right pass shows nothing to reduce.
    let right = Reducer.differs(try Pipeline.parse("canonicalise"), by: 1e-3, context)
    #expect(throws: CommandError.self) { try Reducer(right).reduce(module) }
  }

  /// The steps of docs/debugging.md, "A wrong picture": bisect, reduce, explain.
  @Test func aPlantedMiscompilation() throws {
    let module = try Parser.parse(Self.block, file: "block.mos")
    var none = PassOptions(pass: DropBias.name)
    var passes = try Pipeline.parse("canonicalise,infer-rates,split-gates,winograd")
    passes.insert(try DropBias(&none), at: 2)
    let target = try CompilationTarget(CompilationOptions(), precision: nil)
    let context = PassContext(target: target.passTarget)

    // Bisect: how many optional passes may run before the result is wrong?
    let log = Log()
    func isRight(_ limit: Int) throws -> Bool {
      var options = CompilationOptions()
      options.bisectLimit = limit
      let reporter = Reporter(sink: { log.add($0) })
      var result = module
      try PassPipeline(options, target, reporter).run(
        passes, on: &result, verifyEach: true, name: "f")
      return !Reducer.compute(module, result, differentlyBy: 1e-3)
    }
    #expect(try isRight(0))
    #expect(try !isRight(99))
    var (right, wrong) = (0, 99)
    while wrong - right > 1 {
      let middle = (right + wrong) / 2
      if try isRight(middle) { right = middle } else { wrong = middle }
    }
    _ = try isRight(wrong)
    let last = log.lines.last { $0.contains(": running") }
    #expect(last == "bisect: running pass \(wrong), drop-bias, on f")

    // Reduce with that pass alone.
    let property = Reducer.differs([passes[2]], by: 1e-3, context)
    let small = try Reducer(property).reduce(module)
    let text = Printer.print(small)
    #expect(text.split(separator: "\n").count <= 12, "\(text)")

    // Explain: the lines that the pass changes are the fault.
    var changes = ChangePrinter(.diff, small)
    var after = small
    var copy = context
    try passes[2].run(&after, &copy)
    let lines = changes.text(after: DropBias.name, after).split(separator: "\n")
    let gone = lines.filter { $0.hasPrefix("-") }, come = lines.filter { $0.hasPrefix("+") }
    #expect(gone.count == 1 && gone[0].contains("linear(") && gone[0].contains(", bias: %bias"))
    #expect(come.count == 1 && come[0].contains("linear(") && !come[0].contains("bias"))
  }

  @Test func keepsErrors() throws {
    let scratch = Scratch()
    let path = scratch.path("block.mos")
    try Self.block.write(toFile: path, atomically: true, encoding: .utf8)
    func reduce(_ arguments: String...) throws -> MoscProgram.Outcome {
      try MoscProgram.run(["reduce", path, "--passes=plan-memory"] + arguments)
    }
    let found = try reduce("--keep=error: pass 'plan-memory' takes a module")
    #expect(found.status == 0 && found.errors.contains("9 ops, now 0"))
    #expect(try !Parser.parse(found.output, file: "out").graphs.isEmpty)
    #expect(try reduce("--keep=error: something else").status == 2)
    #expect(try reduce().errors.contains("--keep-mismatch"))
  }
}
