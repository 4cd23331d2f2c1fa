import MoscRandom
import MoscTrain
import Testing

/// What a pretraining run draws, and which pictures its steps see.
@Suite struct PretrainingTests {
  private let random = RunSeed(7)

  @Test func drawsDependOnSeedStreamAndStepOnly() {
    #expect(random.normals(.noise, 3, 9) == RunSeed(7).normals(.noise, 3, 9))
    // A longer draw starts as a shorter one.
    #expect(Array(random.normals(.noise, 3, 9)[..<5]) == random.normals(.noise, 3, 5))
    let others = [
      random.normals(.noise, 4, 9), random.normals(.latent, 3, 9),
      random.normals(.noise, 3, 9, salt: 1), RunSeed(8).normals(.noise, 3, 9),
    ]
    for other in others { #expect(other != random.normals(.noise, 3, 9)) }
  }

  @Test func normalsHaveUnitVariance() {
    let values = random.normals(.noise, 0, 20_000).map(Double.init)
    let mean = values.reduce(0, +) / Double(values.count)
    let square = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
    let fourth = values.reduce(0) { $0 + $1 * $1 * $1 * $1 } / Double(values.count)
    // Four standard errors.
    #expect(abs(mean) < 0.03)
    #expect(abs(square - 1) < 0.04)
    #expect(abs(fourth - 3) < 0.28)
  }

  private func plan() -> BatchPlan {
    let sizes = (0..<30).map { ($0 % 3 == 0 ? 8 : 4, 4) }
    return BatchPlan(
      sizes: sizes.map { (height: $0.0, width: $0.1) }, pictures: Array(0..<29), batch: 4,
      random: random)
  }

  @Test func batchesHoldOneSizeAndEveryPictureOncePerEpoch() {
    var plan = plan()
    #expect(plan.groups.map(\.height) == [4, 8])
    #expect(plan.groups.map(\.batch) == [4, 2])
    var seen: [[Int]] = [[], []]
    for _ in 0..<60 {
      let batch = plan.next()
      #expect(batch.pictures.count == plan.groups[batch.group].batch)
      seen[batch.group] += batch.pictures
    }
    for (index, group) in plan.groups.enumerated() {
      let count = group.pictures.count
      #expect(seen[index].count > 2 * count)
      #expect(Set(seen[index][..<count]) == Set(group.pictures))
      #expect(Set(seen[index][count..<2 * count]) == Set(group.pictures))
      #expect(Array(seen[index][..<count]) != Array(seen[index][count..<2 * count]))
    }
    // Twice as many batches of two as of four: 10 pictures in 2s, 19 in 4s.
    #expect(seen[1].count > seen[0].count / 4)
  }

  @Test func skippingLeadsToTheSameBatches() {
    var whole = plan()
    let batches = (0..<40).map { _ in whole.next() }
    for start in [0, 1, 17, 39] {
      var later = plan()
      later.skip(to: start)
      #expect((start..<40).map { _ in later.next() } == Array(batches[start...]))
    }
  }

  @Test func lossWeightsFollowTheNoiseRatio() {
    // snr 9, 1 and 1/9.
    let alphas = [0.9, 0.5, 0.1]
    func equal(_ weight: NoiseRatioWeight, _ expected: [Double], velocity: Bool = false) -> Bool {
      zip(alphas, expected).allSatisfy {
        abs(weight($0, predictsVelocity: velocity) - $1) < 1e-12
      }
    }
    #expect(equal(NoiseRatioWeight(limit: 5), [5.0 / 9, 1, 1]))
    #expect(equal(NoiseRatioWeight(limit: 5), [0.5, 0.5, 0.1], velocity: true))
    #expect(equal(NoiseRatioWeight(limit: 5, floor: 2), [5.0 / 9, 2, 18]))
  }

  @Test func timestepsCoverTheScheduleInTheAskedShares() {
    func timesteps(_ spread: TimestepSpread, _ count: Int) -> [Int] {
      (0..<count).map { spread.timestep(place: $0, of: count, random: 0.5, steps: 1000) }
    }
    #expect(timesteps(TimestepSpread(), 4) == [125, 375, 625, 875])
    #expect(timesteps(TimestepSpread(noisyShare: 0.5), 4) == [212, 637, 887, 962])
    #expect(timesteps(TimestepSpread(noisyShare: 0), 2) == [212, 637])
    #expect(timesteps(TimestepSpread(noisyShare: 1), 2) == [887, 962])
    let last = TimestepSpread().timestep(place: 0, of: 1, random: 1 - 1e-17, steps: 1000)
    #expect(last == 999)
  }

  @Test func measuredBatchesAreWhole() {
    let plan = plan()
    func batches(_ pictures: [Int]) -> [[Int]] {
      plan.batches(of: pictures) { (height: $0 % 3 == 0 ? 8 : 4, width: 4) }.map(\.pictures)
    }
    #expect(batches([0, 1, 2, 3, 4, 5, 6, 7]) == [[1, 2, 4, 5], [0, 3]])
    #expect(batches([1, 2, 4]) == [[1, 2, 4, 1]])
    #expect(batches([]).isEmpty)
  }
}
