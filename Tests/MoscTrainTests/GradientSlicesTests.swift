import Foundation
import MoscCluster
import MoscReport
import MoscRuntime
import MoscTrain
import RunSupport
import Testing

/// Gradients that are too large to send whole.
@Suite struct GradientSlicesTests {
  private static let parts = 5

  private static func groups() throws -> [ParameterGroup] {
    try [("a", [("x", [3, 7]), ("y", [40])]), ("b", [("z", [129])])].map { name, tensors in
      try ParameterGroup(
        name, FlatLayout(tensors.map { (name: $0.0, shape: $0.1) }), learningRate: 1, weightDecay: 0, accumulates: true)
    }
  }

  /// Fills the gradients of a part with numbers whose sum depends on the order.
  private static func fill(_ groups: [ParameterGroup], part: Int) {
    var state = UInt32(17 + part)
    for group in groups {
      guard let floats = group.buffer(.gradients)?.floats else { continue }
      for index in floats.indices {
        state = state &* 1_664_525 &+ 1_013_904_223
        floats[index] = (Float(state >> 8) / 8_388_608 - 1) * (part % 2 == 0 ? 1 : 1e-5)
      }
    }
  }

  private static func sums(_ groups: [ParameterGroup]) -> [UInt32] {
    groups.flatMap { $0.buffer(.sum).map { Array($0.floats).map(\.bitPattern) } ?? [] }
  }

  @Test(arguments: [1, 2, 3, 4, 7]) func sumsHaveTheBitsOfOneProcess(size: Int) throws {
    let alone = try Self.groups()
    for part in 0..<Self.parts {
      Self.fill(alone, part: part)
      for group in alone { group.accumulate() }
    }
    let expected = Self.sums(alone)
    #expect(Set(expected).count > 100)
    let results = LocalTransport.run(size) { cluster -> (sums: [UInt32], losses: [Double]) in
      let groups = try Self.groups()
      var own: [[UInt8]] = []
      for part in 0..<Self.parts where cluster.owner(part) == cluster.rank {
        Self.fill(groups, part: part)
        own.append(GradientPart(loss: Double(part), measure: 0).bytes(groups))
      }
      let parts = try GradientSlices(cluster, groups, 3, Self.parts).sum(own)
      return (Self.sums(groups), parts.map(\.loss))
    }
    for result in results {
      let (sums, losses) = try result.get()
      #expect(sums == expected)
      #expect(losses == (0..<Self.parts).map(Double.init))
    }
  }
}
