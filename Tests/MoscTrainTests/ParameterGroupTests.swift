import MoscFormats
import MoscReport
import MoscTrain
import Testing

/// Parameters in flat arrays: nothing is left at zero because its numbers were not there.
@Suite struct ParameterGroupTests {
  private func group(keepsAverage: Bool = false) throws -> ParameterGroup {
    try ParameterGroup(
      "unet", FlatLayout([("down", [2, 3]), ("up", [4])]), learningRate: 1, weightDecay: 0,
      keepsAverage: keepsAverage)
  }

  @Test func missingTensorsAreRefused() throws {
    let group = try group()
    let known = ["down": HostArray([Float](repeating: 1, count: 6), shape: [2, 3])]
    #expect(
      throws: CommandError.failure(
        "tensor 'up' of the group 'unet': found nothing, expected [4]")
    ) { try group.start { known[$0] } }
  }

  @Test func wrongCountsAreRefused() throws {
    let group = try group()
    let slice = group.layout.slices[0]
    #expect(
      throws: CommandError.failure(
        "tensor 'down' of the group 'unet': found 5 numbers, expected 6")
    ) { try group.set(.mean, slice, to: [1, 2, 3, 4, 5]) }
    #expect(
      throws: CommandError.failure("'square' of the group 'unet': found 3 numbers, expected 32")
    ) { try group.replace(.square, with: [1, 2, 3]) }
    #expect(
      throws: CommandError.failure("the group 'unet' keeps no 'average', found 6 numbers for it")
    ) { try group.set(.average, slice, to: [1, 2, 3, 4, 5, 6]) }
    #expect(group.tensors(.mean)[0].values.floats == [0, 0, 0, 0, 0, 0])
  }

  @Test func runningMeansStartAtTheStart() throws {
    let group = try group(keepsAverage: true)
    try group.start { HostArray([Float](repeating: 3, count: $0 == "up" ? 4 : 6), shape: [$0 == "up" ? 4 : 6]) }
    for role in [ParameterGroup.Role.parameters, .average] {
      #expect(group.tensors(role).map(\.values.floats.count) == [6, 4])
      #expect(group.tensors(role).allSatisfy { $0.values.floats.allSatisfy { $0 == 3 } })
    }
  }
}
