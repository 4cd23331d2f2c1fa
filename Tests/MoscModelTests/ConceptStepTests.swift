import MoscIR
import MoscModel
import Testing

@Suite struct ConceptStepTests {
  /// The share of a word and its gradient, where the map is zero or nearly so and where it is not.
  @Test(arguments: [0, 1e-30, 0.25]) func shares(largest: Double) throws {
    var g = Graph("shares")
    let words = g.parameter("words", .f32(1, 2, 1))
    let shares = try ConceptStep.shares(words, in: &g)
    let sum = try g.reduceSum(try g.mul(shares, shares), axes: [0, 1, 2])
    let one = try g.constant(1, g.type(sum))
    let found = try g.backpropagate([(sum, one)], to: [words], through: g.order)
    g.results = [shares] + found.gradients.compactMap { $0 }
    let results = try evaluate(
      g, [HostTensor(.f32(1, 2, 1)) { $0 == [0, 0, 0] ? largest : largest / 2 }], [:])
    #expect(results.count == 2 && results.allSatisfy { $0.elements.allSatisfy(\.isFinite) })
    let expected = largest == 0.25 ? [1, 0.5] : [largest / 1e-12, largest / 2e-12]
    #expect(zip(results[0].elements, expected).allSatisfy { abs($0 - $1) <= 1e-6 * abs($1) })
  }
}
