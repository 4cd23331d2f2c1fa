import Foundation
import MoscDiffusion
import MoscFormats
import MoscModel
import MoscRandom
import MoscTrain
import TestSupport
import Testing

/// The prompts and places of the parts that pretraining draws.
@Suite struct RegionDrawsTests {
  private let scratch = Scratch()
  private let config = try? DiffusersModel.embedded().unet().config

  /// Prompts as their numbers of letters: "aa" is [2, 2].
  private static func tokens(_ text: String) -> [Int32] { [Int32(text.count), Int32(text.count)] }

  private func layout(_ name: String, _ objects: [(box: [Double], prompts: [String])]) throws -> PictureLayout {
    let list = objects.map {
      #"{"phrase": "a", "box": \#($0.box), "prompts": \#($0.prompts)}"#
    }
    try scratch.write(name, #"{"objects": [\#(list.joined(separator: ", "))], "scene": "scene"}"#)
    return try PictureLayout(URL(fileURLWithPath: scratch.path(name)), caption: [1]) { _ in [1] }
  }

  /// Two side by side, the right one first; one on the right; one in the middle; none.
  private func draws(share: Double) throws -> RegionDraws {
    let pictures = [
      try layout("two", [([0.6, 0, 1, 1], ["right!!"]), ([0, 0, 0.4, 1], ["left!"])]),
      try layout("one", [([0.6, 0, 1, 1], ["right!!"])]),
      try layout("middle", [([0.2, 0, 0.8, 1], ["middle!!"])]), try layout("none", []),
    ]
    return RegionDraws(
      pictures, captions: [[11, 11], [12, 12], [13, 13], [14, 14]], empty: [0, 0], share: share,
      try #require(config), RunSeed(3), encode: Self.tokens)
  }

  /// Three prompts for each picture, as one tensor.
  private func ids(_ contexts: [[Int]]) -> HostArray {
    HostArray(contexts.joined().flatMap { [Int32($0), Int32($0)] }, shape: [contexts.count * 3, 2])
  }

  @Test func partsListenToTheirObjects() throws {
    let draws = try draws(share: 1)
    let (left, right, scene) = ("left!".count, "right!!".count, "scene".count)
    var found: [HostArray: Int] = [:]
    for step in 0..<40 {
      let parts = try #require(draws.parts(step))
      #expect(parts.left.right <= parts.right.left && parts.left.right > 0.3 && parts.right.left < 0.65)
      let inputs = draws.inputs([0, nil, 2, 3], parts, step: step, height: 8, width: 8)
      found[try #require(inputs["input_ids"]), default: 0] += 1
    }
    // The caption or the scene, then what is on the left, then on the right. Where no part holds the object, and
    // where there is none, the caption is everywhere.
    let expected = [11, scene].map { ids([[$0, left, right], [0, 0, 0], [13, 13, 13], [14, 14, 14]]) }
    #expect(Set(found.keys) == Set(expected))
    // A part that holds nothing listens to what is no part.
    let one = try (0..<20).map { try #require(draws.inputs([1], draws.parts($0), step: $0, height: 8, width: 8)["input_ids"]) }
    #expect(Set(one) == Set([12, scene].map { ids([[$0, $0, right]]) }))
  }

  @Test func coverageIsThatOfDrawnRegions() throws {
    let draws = try draws(share: 1)
    let parts = try #require(draws.parts(0))
    let inputs = draws.inputs([0], parts, step: 0, height: 16, width: 16)
    let coverage = try #require(inputs[UNet.coverageName(16, 16)])
    let regions = [parts.left, parts.right].map { box in
      var region = Region(name: "", prompt: "x")
      region.box = box
      return region
    }
    let expected = RegionCoverage(
      regions, active: [true, true], height: 16, width: 16, pictureWidth: 128, rounding: .centre)
    #expect(coverage == HostArray(expected.shares, shape: [3, 256]))
  }

  @Test func aShareOfStepsHasParts() throws {
    let half = try draws(share: 0.5)
    #expect((60...140).contains((0..<200).count { half.parts($0) != nil }))
    #expect(try draws(share: 0).parts(1) == nil)
    let inputs = half.inputs([0], nil, step: 0, height: 16, width: 16)
    #expect(inputs["input_ids"] == ids([[11, 11, 11]]))
    #expect(
      inputs[UNet.coverageName(16, 16)]
        == HostArray([Float](repeating: 1, count: 256) + [Float](repeating: 0, count: 512), shape: [3, 256]))
  }
}
