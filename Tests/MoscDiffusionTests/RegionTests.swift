import MoscDiffusion
import MoscFormats
import Testing

/// Regions in all spellings, and what they cover.
@Suite struct RegionTests {
  private func region(_ text: String) throws -> Region {
    try RegionText(text).region(number: 1, width: 512, height: 256) { _ in
      RegionMask(width: 512, height: 256, values: [Float](repeating: 0.5, count: 512 * 256))
    }
  }

  private func expectFailure(_ text: String, _ words: String...) {
    #expect {
      try region(text)
    } throws: { error in
      words.allSatisfy { String(describing: error).contains($0) }
    }
  }

  @Test func fields() throws {
    let left = try region(
      "box=0,0.25,0.5,1; prompt=\"a cat; sitting\"; negative=dog; weight=0.5; feather=8; "
        + "steps=0-0.8; t2i=0.3,1; name=left")
    #expect(left.box == RegionBox(left: 0, top: 0.25, right: 0.5, bottom: 1))
    #expect(left.prompt == "a cat; sitting")
    #expect(left.negative == "dog")
    #expect(left.weight == 0.5 && left.feather == 8 && left.steps == 0...0.8)
    #expect(left.adapterStrengths == [0.3, 1])
    #expect(left.name == "left")
    let pixels = try region("box=128,64,512,256;prompt=x")
    #expect(pixels.box == RegionBox(left: 0.25, top: 0.25, right: 1, bottom: 1))
    #expect(try region("mask=m.png; prompt=x").mask?.values.first == 0.5)
  }

  @Test func malformed() {
    expectFailure("", "empty")
    expectFailure("box=0,0,1,1", "region 1", "no prompt")
    expectFailure("prompt=x", "neither box nor mask")
    expectFailure("bok=0,0,1,1; prompt=x", "bok", "box")
    expectFailure("box=0,0,1,1; box=0,0,1,1; prompt=x", "twice")
    expectFailure("box=0,0,1; prompt=x", "4 numbers")
    expectFailure("box=0,a,1,1; prompt=x", "box=a")
    expectFailure("box=0.5,0,0.5,1; prompt=x", "empty")
    expectFailure("box=0,0,513,100; prompt=x", "outside", "512x256")
    expectFailure("box=-1,0,100,100; prompt=x", "outside")
    expectFailure("box=0,0,1,1; prompt=x; weight=-1", "weight")
    expectFailure("box=0,0,1,1; prompt=x; steps=0.8-0.2", "steps")
    expectFailure("box=0,0,1,1; prompt=\"x", "quote")
    expectFailure("mask=m; prompt=x; feather=3", "feather")
    #expect {
      try RegionText("mask=m; prompt=x").region(number: 2, width: 512, height: 256) { _ in
        RegionMask(width: 2, height: 2, values: [1, 1, 1, 1])
      }
    } throws: { "\($0)".contains("2x2") && "\($0)".contains("512x256") }
  }

  /// Numbers that no integer can hold, in all spellings of boxes.
  @Test(arguments: ["1e19", "9223372036854775808", "-1e300", "1.7e308"])
  func boxesFarOutside(_ number: String) throws {
    for box in ["[0,0,16,\(number)]", "[\(number),0,16,16]", "[0,\(number),\(number),16]"] {
      #expect(throws: PromptError.self) {
        try RewriteText.regions("[a]-*-[b]-*-\(box)", width: 512, height: 256)
      }
      #expect(throws: PromptError.self) {
        try RewriteText.strengths("\(box)-1.0", width: 512, height: 256)
      }
    }
    expectFailure("box=0,0,1,\(number); prompt=x", "box")
    #expect(throws: PromptError.self) {
      try RegionBox([0, 0, 1, Double(number) ?? 0], width: 512, height: 256)
    }
  }

  @Test func sceneObjects() throws {
    let object = try JSONValue.parse(
      #"{"box": [0, 0, 0.5, 1], "prompt": "a fox", "weight": 2}"#.utf8, path: "scene")
    let fox = try RegionText(object, place: "scene: regions[0]")
      .region(number: 1, width: 64, height: 64) { _ in throw PromptError("no mask") }
    #expect(fox.weight == 2 && fox.box?.right == 0.5)
    let bad = try JSONValue.parse(#"{"prompts": "a fox"}"#.utf8, path: "scene")
    #expect {
      try RegionText(bad, place: "scene: regions[0]")
    } throws: { "\($0)".contains("prompt") && "\($0)".contains("regions[0]") }
  }

  @Test func rewrite() throws {
    let regions = try RewriteText.regions(
      "[a <x>, near the [old] castle]-*-[low  res]-*-[10, 20, 256, 250] | [b]-*-[]-*-[]",
      width: 512, height: 256)
    #expect(regions.map(\.prompt) == ["a <x>, near the [old] castle", "b"])
    #expect(regions[0].negative == "low res" && regions[1].negative == "")
    #expect(
      regions[0].box
        == RegionBox(left: 20 / 512, top: 10 / 256, right: 250 / 512, bottom: 1))
    #expect(regions[1].box == .full)
    let strengths = try RewriteText.strengths(
      "[0,0,128,256]-0.8|[]-0.5", width: 512, height: 256)
    #expect(strengths.map(\.strength) == [0.8, 0.5])
    #expect(strengths[0].box.bottom == 0.5)
    for bad in [
      "", "a", "[a]", "[a]-*-[b]", "[a]-*-[b]-*-[1,2,3]", "[a]-*-[b]-*-[1,2,x,4]",
      "[a]-*-[b]-*-[0,0,300,20]", "[a]-*-[b]-*-[0,0,9,9]|", "[a]-*-[b]-*-[0,0,9,9] c", "[[a]",
      "[]-*-[b]-*-[]",
    ] {
      #expect(throws: PromptError.self, "\(bad)") {
        try RewriteText.regions(bad, width: 512, height: 256)
      }
    }
  }

  @Test func coverage() {
    var left = Region(name: "left", prompt: "a")
    left.box = RegionBox(left: 0, top: 0, right: 0.6, bottom: 1)
    var right = Region(name: "right", prompt: "b")
    right.box = RegionBox(left: 0.4, top: 0, right: 0.8, bottom: 1)
    func shares(_ regions: [Region], _ active: [Bool] = [true, true]) -> [[Float]] {
      let map = RegionCoverage(
        regions, active: active, height: 1, width: 10, pictureWidth: 80, rounding: .inward)
      return (0...regions.count).map { Array(map.shares[$0 * 10..<($0 + 1) * 10]) }
    }
    let both = shares([left, right])
    #expect(both[0] == [0, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    #expect(both[1] == [1, 1, 1, 1, 0.5, 0.5, 0, 0, 0, 0])
    #expect(both[2] == [0, 0, 0, 0, 0.5, 0.5, 1, 1, 0, 0])
    #expect(shares([left, right], [false, true])[1].allSatisfy { $0 == 0 })
    left.weight = 0.25
    #expect(shares([left, right])[0][0] == 0.75)
    left.weight = 3
    #expect(shares([left, right])[1][4] == 0.75)
    right.feather = 16
    let soft = shares([right], [true])[1]
    #expect(soft[4] == 0.75 && soft[3] == 0.25 && soft[2] == 0)
    // Every cell's shares sum to one.
    for column in 0..<10 {
      let sum = shares([left, right]).reduce(Float(0)) { $0 + $1[column] }
      #expect(abs(sum - 1) < 1e-6)
    }
  }

  /// What the rules for overlaps, the background and the base give, over ten cells of one row.
  @Test func rulesOfShares() {
    var left = Region(name: "left", prompt: "a")
    left.box = RegionBox(left: 0, top: 0, right: 0.6, bottom: 1)
    left.weight = 0.5
    var right = Region(name: "right", prompt: "b")
    right.box = RegionBox(left: 0.4, top: 0, right: 0.8, bottom: 1)
    right.weight = 0.75
    func shares(_ regions: [Region], _ overlap: RegionCoverage.Overlap) -> [[Float]] {
      let map = RegionCoverage(
        regions, active: [Bool](repeating: true, count: regions.count), height: 1, width: 10,
        pictureWidth: 80, rounding: .centre, overlap: overlap)
      return (0...regions.count).map { Array(map.shares[$0 * 10..<($0 + 1) * 10]) }
    }
    // At cell 0 only the left box is, at 5 both, at 7 only the right one, at 9 none.
    func cells(_ overlap: RegionCoverage.Overlap) -> [[Float]] {
      let all = shares([left, right], overlap)
      return [0, 5, 7, 9].map { cell in all.map { $0[cell] } }
    }
    func near(_ a: [[Float]], _ b: [[Float]]) -> Bool {
      a.count == b.count
        && zip(a.joined(), b.joined()).allSatisfy { abs($0 - $1) < 1e-6 }
    }
    let alone: [[Float]] = [[0.5, 0.5, 0], [0.25, 0, 0.75], [1, 0, 0]]
    for (overlap, both) in [
      (RegionCoverage.Overlap.average, [0.25, 0.3, 0.45]), (.priority, [0.125, 0.125, 0.75]),
      (.blend, [0, 0.4, 0.6]),
    ] as [(RegionCoverage.Overlap, [Float])] {
      #expect(near(cells(overlap), [alone[0], both, alone[1], alone[2]]), "\(overlap)")
    }
    // The background has what is left; a base gives a part back to the picture's prompt.
    var ground = Region(name: "ground", prompt: "c")
    ground.isBackground = true
    right.base = 0.2
    let all = shares([left, ground, right], .priority)
    let found = [0, 5, 7, 9].map { cell in all.map { $0[cell] } }
    #expect(
      near(
        found,
        [[0, 0.5, 0.5, 0], [0.15, 0.125, 0.125, 0.6], [0.15, 0, 0.25, 0.6], [0, 0, 1, 0]]))
  }

  @Test func fieldsOfSharesAndStrengths() throws {
    func region(_ text: String) throws -> Region {
      try RegionText(text).region(number: 1, width: 64, height: 64) { _ in
        RegionMask(width: 64, height: 64, values: [])
      }
    }
    let found = try region("background=1; prompt=a; base=0.25; guidance=9.5; seed=18446744073709551615")
    #expect(found.isBackground && found.base == 0.25 && found.guidance == 9.5 && found.seed == .max)
    for (text, expected) in [
      ("prompt=a; background=1; box=0,0,1,1", "wherever no other region is"), ("prompt=a; background=0", "box nor mask"),
      ("prompt=a; background=maybe", "expected 1 or 0"), ("prompt=a; box=0,0,1,1; base=2", "base=2"),
      ("prompt=a; box=0,0,1,1; seed=-1", "seed=-1"), ("prompt=a; box=0,0,1,1; guidance=x", "guidance=x"),
    ] {
      #expect { _ = try region(text) } throws: { "\($0)".contains(expected) }
    }
    let scene = try JSONValue.parse(
      "{\"prompt\": \"a\", \"background\": true, \"seed\": 7, \"lora\": [\"x:0.5\", \"y\"]}".utf8, path: "s")
    let text = try RegionText(scene, place: "s")
    #expect(text.adapters == ["x:0.5", "y"] && text.values["seed"] == "7")
    #expect {
      _ = try RegionText(try JSONValue.parse("{\"lora\": [1]}".utf8, path: "s"), place: "s")
    } throws: { "\($0)".contains("s.lora: expected texts") }
  }

  @Test func smallBoxesVanishInwardButNotAtTheirCentre() {
    var tiny = Region(name: "tiny", prompt: "a")
    tiny.box = RegionBox(left: 0.26, top: 0.26, right: 0.49, bottom: 0.49)
    func empty(_ side: Int, _ rounding: RegionCoverage.Rounding) -> [Int] {
      RegionCoverage(
        [tiny], active: [true], height: side, width: side, pictureWidth: 512, rounding: rounding
      ).empty
    }
    #expect(empty(4, .inward) == [0] && empty(4, .centre) == [])
    #expect(empty(64, .inward) == [] && empty(2, .centre) == [0])
  }
}
