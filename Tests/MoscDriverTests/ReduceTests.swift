import Foundation
import MoscDriver
import MoscIR
import MoscPasses
import TestSupport
import Testing

/// A miscompilation made on purpose: linear maps lose their bias.
private struct DropBias: Pass {
  static let name = "drop-bias"
  static let stages = (from: Stage.tensor, to: Stage.tensor)

  init(_ options: inout PassOptions) {}

  func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    for index in module.graphs.indices {
      let graph = module.graphs[index]
      module.graphs[index] = try graph.rebuilt { (id, operands, new) throws(Diagnostic) in
        guard case .linear(let op) = graph[id].op, operands.count == 3 else { return nil }
        return [try new.emit(.linear(op), Array(operands.prefix(2)))]
      }
    }
  }
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
    #expect(throws: DriverError.self) { try Reducer(right).reduce(module) }
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
