import Foundation
import MoscFormats
import MoscImages
import MoscRandom
import MoscTrain
import TestSupport
import Testing

/// Transforms and their random numbers against the reference, exactly.
@Suite struct TransformTests {
  @Test func pythonRandom() throws {
    let cases = try #require(try JSONValue.golden("mix-of-show/python_random.json").array)
    #expect(cases.count == 3)
    for entry in cases {
      func numbers(_ key: String) -> [Double] { (entry[key]?.array ?? []).compactMap(\.double) }
      let seed = UInt64(entry["seed"]?.int ?? -1)
      var random = PythonRandom(seed: seed)
      #expect((0..<4).map { _ in random.random() } == numbers("random"))
      let integers = (0..<6).map { _ in Double(random.integer(0...511)) }
      #expect(integers == numbers("randint_0_511"))
      #expect((0..<3).map { _ in random.uniform(-1, 2) } == numbers("uniform_m1_2"))
      let choices = (0..<4).map { _ in Double(random.choice(Array(0..<19)) ?? -1) }
      #expect(choices == numbers("choice_of_19"))
      var shuffled = Array(0..<10)
      random.shuffle(&shuffled)
      #expect(shuffled.map(Double.init) == numbers("shuffle_10"))
    }
    // CPython: random.seed(2**40 + 5); random.random(), then getrandbits(40).
    var wide = PythonRandom(seed: (1 << 40) + 5)
    #expect(wide.random() == 0.5043802970418443)
    #expect(wide.bits(40) == 727003120297)
  }

  /// The crop transform: boxes, sums of picture and masks, and how many numbers it drew.
  @Test func placesHumans() throws {
    let cases = try #require(try JSONValue.golden("mix-of-show/xform.json").array)
    #expect(cases.count == 12)
    for entry in cases {
      func int(_ key: String) -> Int { entry[key]?.int ?? -1 }
      let (width, height) = (int("w"), int("h"))
      var random = TransformRandom(seed: UInt64(int("seed")))
      var state = TransformState(
        image: .noise(width: width, height: height, channels: 3, seed: 1),
        mask: .noise(width: width, height: height, channels: 1, seed: 2), caption: "a")
      let transform = DataTransform.placeHuman(size: 512, cropChance: 0.5)
      try transform.apply(to: &state, &random)
      let pixels = state.image.pixels
      let mean = Double(pixels.reduce(0) { $0 + Int($1) }) / Double(pixels.count)
      #expect(abs(mean - (entry["img_mean"]?.double ?? 0)) < 1e-9)
      let lit = pixels.indices.filter { pixels[$0] > 0 }.map { $0 / 3 }
      let rows = lit.map { $0 / 512 }
      let columns = lit.map { $0 % 512 }
      #expect([rows.min(), rows.max()] == (entry["img_nonzero_rows"]?.array ?? []).map(\.int))
      #expect(
        [columns.min(), columns.max()] == (entry["img_nonzero_cols"]?.array ?? []).map(\.int))
      let mask = try #require(state.reducedMask).values.reduce(0, +)
      #expect(abs(mask - (entry["mask_sum"]?.double ?? 0)) < 1e-9)
      let cover = try #require(state.reducedImageMask)
      #expect(cover.values.reduce(0, +) == entry["img_mask_sum"]?.double)
      let covered = cover.values.indices.filter { cover.values[$0] > 0 }
      let boxRows = covered.map { $0 / 64 }
      let boxColumns = covered.map { $0 % 64 }
      #expect(boxRows.min() == int("box_y0") && boxRows.max() == int("box_y1"))
      #expect(boxColumns.min() == int("box_x0") && boxColumns.max() == int("box_x1"))
      #expect(random.python.random() == entry["next_random"]?.double)
    }
  }

  @Test func placesObjects() throws {
    let cases = try #require(try JSONValue.golden("transforms/place_object.json").array)
    #expect(cases.count == 24)
    for entry in cases {
      func int(_ key: String) -> Int { entry[key]?.int ?? -1 }
      let (width, height) = (int("w"), int("h"))
      var drawn: [TransformRandom] = []
      for (index, reduction) in [MaskReduction.bilinear, .nearest].enumerated() {
        var random = TransformRandom(seed: UInt64(int("seed")))
        let hasMask = entry["mask"]?.bool == true
        var state = TransformState(
          image: .noise(width: width, height: height, channels: 3, seed: 1),
          mask: hasMask ? .noise(width: width, height: height, channels: 1, seed: 2) : nil,
          caption: " <a1> <a2>,red hat, snow ,night,tree", maskReduction: reduction)
        for transform in [
          DataTransform.placeObject(size: 64, cropChance: 0.5, scale: 0.4...1),
          .shuffleCaption(keep: 1), .enhanceText(.object),
        ] {
          try transform.apply(to: &state, &random)
        }
        #expect(FileHash.sha256(state.image.pixels) == entry["sha256"]?.string)
        let sum = state.reducedMask?.values.reduce(0, +)
        let expected = entry["mask_sums"]?.array?[index].double
        #expect((sum == nil) == (expected == nil))
        #expect(abs((sum ?? 0) - (expected ?? 0)) < 1e-9)
        let cover = state.reducedImageMask?.values.reduce(0, +)
        #expect(cover == entry["cover_sums"]?.array?[index].double)
        let words = try #require(entry["caption"]?.string)
        #expect(state.caption == CaptionTemplates.object.applied(int("template"), to: words))
        drawn.append(random)
      }
      var random = drawn[0]
      #expect(random.python.random() == entry["next_random"]?.double)
      #expect(Double(random.torch.uniforms(1)[0]) == entry["next_torch"]?.double)
    }
  }

  @Test func templates() {
    #expect(CaptionTemplates.allCases.map(\.count) == [27, 19, 19])
    #expect(CaptionTemplates.human.applied(13, to: "x") == "a bright photo of the x")
    #expect(CaptionTemplates.human.applied(18, to: "x") == "a bright photo of the x")
    #expect(CaptionTemplates.style.applied(9, to: "x") == "a close-up painting in the style of x")
    #expect(CaptionTemplates.object.applied(26, to: "x") == "a photo of a small x")
  }

  @Test func plainTransforms() throws {
    var random = TransformRandom(seed: 3)
    var state = TransformState(
      image: .noise(width: 40, height: 24, channels: 3, seed: 4),
      mask: .noise(width: 40, height: 24, channels: 1, seed: 5), caption: "x")
    let original = state
    try DataTransform.randomHorizontalFlip(chance: 1).apply(to: &state, &random)
    #expect(state.image == original.image.mirrored && state.mask == original.mask?.mirrored)
    try DataTransform.centerCrop(height: 16, width: 48).apply(to: &state, &random)
    #expect(state.image.width == 48 && state.image.height == 16)
    #expect(state.image.pixels.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    try DataTransform.resize(.shortSide(32)).apply(to: &state, &random)
    #expect(state.image.width == 96 && state.mask?.height == 32)
    try DataTransform.randomCrop(height: 16, width: 24, isPaired: true).apply(to: &state, &random)
    #expect(state.mask?.width == 24)
    #expect(throws: FormatError.self) {
      try DataTransform.randomCrop(height: 64, width: 8, isPaired: false)
        .apply(to: &state, &random)
    }
    try DataTransform.toTensor.apply(to: &state, &random)
    try DataTransform.normalize(mean: [0.5], deviation: [0.5]).apply(to: &state, &random)
    let sample = state.finished()
    #expect(sample.image.count == 16 * 24 * 3)
    #expect(sample.image[0] == (Float(state.image.pixels[0]) / 255 - 0.5) / 0.5)
    #expect(sample.mask?.count == 6 && sample.imageMask == [1, 1, 1, 1, 1, 1])
  }

  /// 16×8 pixels in two squares: the mean of the middle four, or the first.
  @Test func reducesMasks() {
    var plane = MaskPlane(width: 16, height: 8, values: [Double](repeating: 0, count: 128))
    plane.values[0] = 1
    for place in [3 * 16 + 11, 3 * 16 + 12, 4 * 16 + 11] { plane.values[place] = 1 }
    #expect(plane.reduced(.nearest).values == [1, 0])
    #expect(plane.reduced(.bilinear).values == [0, 0.75])
  }
}
