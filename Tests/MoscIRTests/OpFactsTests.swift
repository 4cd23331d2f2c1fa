import Foundation
import MoscIR
import Testing

/// What passes and code generation ask of ops before they look at names.
@Suite struct OpFactsTests {
  /// The ops that a file may name, with the reason; all else it has to ask for.
  static let named: [(file: String, ops: Set<String>, why: String)] = [
    ("IR/Core/OpFacts.swift", [], "asks"),
    ("IR/Core/Work.swift", [], "asks"),
    ("passes/Rematerialisation/RecomputedValues.swift", [], "asks"),
    ("passes/Fusion/Group.swift", ["cast"], "the one op that rounds a result on its way out"),
    (
      "passes/Fusion/Grouping.swift",
      ["reshape", "pack", "transpose", "winogradWeight", "pad", "concat", "add"],
      "what 'pack' does on the way, arrangements that read an element once, and a product added to another"
    ),
    (
      "Sources/MoscCodegen/LoopNest/BodyFacts.swift",
      ["concat", "pad", "slice", "timestepEmbedding"], "where a row changes its source"
    ),
  ]

  /// A place that lists ops by name treats a new one as if it were another, and no test sees that
  /// it is slow.
  @Test(arguments: named)
  func placesAsk(_ place: (file: String, ops: Set<String>, why: String)) throws {
    let text = try String(contentsOf: Self.root.appending(path: place.file), encoding: .utf8)
    let named = text.matches(of: /case (\.[^:={]*)/).flatMap { $0.1.matches(of: /\.([a-z]\w*)/) }
    let found = Set(named.map { String($0.1) }).intersection(Self.cases)
    #expect(found == place.ops, "\(place.file) names \(found.sorted()); it may for \(place.why)")
  }

  /// The names of the cases of `Op`, which are those of the text format in camel case.
  private static let cases = Set(Op.all.map { camel($0.mnemonic) })

  private static func camel(_ mnemonic: String) -> String {
    let words = mnemonic.split(separator: "_").map(String.init)
    return words[0] + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// `Op.all` is the one list of ops that the compiler does not compare with the cases.
  @Test func everyCaseIsListed() throws {
    let text = try String(contentsOf: Self.root.appending(path: "IR/Core/Op.swift"), encoding: .utf8)
    let declared = text.matches(of: /\n  case (\w+)\(/).map { String($0.1) }
    #expect(declared == Op.all.map { Self.camel($0.mnemonic) })
  }

  private func cost(_ build: (inout Graph) throws -> ValueID) throws -> OpCost {
    var graph = Graph("k", kind: .kernel)
    graph.results = [try build(&graph)]
    return graph.cost(try #require(graph.order.last))
  }

  @Test func familiesAnswerForTheirOps() throws {
    #expect(Op.neg(Neg()).kernelKind == .loopNest && Op.neg(Neg()).repetition == .cheap)
    #expect(Op.concat(Concat(axis: 0)).repetition == .free)
    #expect(Op.reduceSum(ReduceSum(axes: [0])).kernelKind == .reduction)
    #expect(Op.linear(Linear()).kernelKind == .contraction && Op.linear(Linear()).tile == nil)
    let sum = try cost { g in try g.reduceSum(g.parameter("x", .f32(3, 64)), axes: [1]) }
    #expect(sum == OpCost(flops: 3, time: 8))
    let copy = try cost { g in try g.transpose(g.parameter("x", .f32(3, 8)), axes: [1, 0]) }
    #expect(copy == OpCost(flops: 0, codeLength: 0))
  }

  /// Axes of an image become one loop only where no op tells them apart.
  @Test func alignment() {
    let pad = Pad(low: [0, 1, 0], high: [0, 1, 0])
    #expect(pad.alignedOperands(from: 2, of: 1) == 0..<1)
    #expect(pad.alignedOperands(from: 1, of: 1) == nil)
    #expect(pad.alignedOperands(from: 5, of: 1) == 0..<1)
    #expect(Concat(axis: 1).alignedOperands(from: 1, of: 3) == nil)
    #expect(Concat(axis: 1).alignedOperands(from: 2, of: 3) == 0..<3)
    #expect(Softmax().alignedOperands(from: 1, of: 1) == nil)
  }
}
