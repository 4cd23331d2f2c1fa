import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscNetworks
import MoscPrompts
import MoscReport
import MoscSample
import RunSupport
import TestSupport
import Testing

/// What is drawn of a picture, where it is put back, and what is refused, on the embedded model.
@Suite(.serialized) struct PicturePlanTests {
  private let scratch = Scratch()

  /// A picture whose every pixel is another.
  private func image(_ width: Int, _ height: Int, _ name: String = "source.png") throws -> PixelImage {
    let pixels = (0..<width * height).flatMap { place -> [UInt8] in
      [UInt8(place % width * 255 / width), UInt8(place / width * 255 / height), UInt8(place * 7 % 256)]
    }
    let image = PixelImage(width: width, height: height, pixels: pixels)
    try PNG.write(image, to: scratch.url.appending(path: name))
    return image
  }

  private func mask(_ width: Int, _ height: Int, _ box: (x: Range<Int>, y: Range<Int>)) throws -> PixelImage {
    let pixels = (0..<width * height).map { place -> UInt8 in
      box.x ~= place % width && box.y ~= place / width ? 255 : 0
    }
    let mask = PixelImage(width: width, height: height, channels: 1, pixels: pixels)
    try PNG.write(mask, to: scratch.url.appending(path: "mask.png"))
    return mask
  }

  private func request(_ edit: (inout SampleRequest) -> Void = { _ in }) -> SampleRequest {
    var request = SampleRequest()
    request.prompt = "a fox"
    request.model.precision = .f32
    request.compiler.cacheFolder = SharedKernels.folder
    request.steps = 2
    request.seeds = [3]
    request.picture.image = scratch.path("source.png")
    request.output = scratch.path("drawn.png")
    edit(&request)
    return request
  }

  private func drawn(_ edit: (inout SampleRequest) -> Void = { _ in }) throws -> PixelImage {
    try SampleJob(request(edit), .silent).run()
    return try ImageFile.read(scratch.url.appending(path: "drawn.png"))
  }

  private func expectRefusal(
    _ words: String..., status: MoscReport.ExitStatus = .usage, edit: (inout SampleRequest) -> Void
  ) {
    #expect {
      _ = try SamplePlan(request(edit))
    } throws: { error in
      let text = String(describing: error)
      return MoscReport.ExitStatus(error) == status && words.allSatisfy { text.contains($0) }
    }
  }

  /// Pixels of two pictures that differ.
  private func changed(_ a: PixelImage, _ b: PixelImage) -> [(x: Int, y: Int)] {
    (0..<a.width * a.height).filter { a.pixels[$0 * 3..<$0 * 3 + 3] != b.pixels[$0 * 3..<$0 * 3 + 3] }
      .map { ($0 % a.width, $0 / a.width) }
  }

  /// A size that is no multiple of 8 is the size of the result, and nothing outside of a hard mask changes.
  @Test func keepsBytesOutsideOfTheMask() throws {
    let source = try image(61, 50)
    _ = try mask(61, 50, (10..<31, 13..<40))
    let result = try drawn {
      $0.picture.mask = scratch.path("mask.png")
      $0.picture.maskBlur = 0
      $0.picture.strength = 1
    }
    #expect(result.width == 61 && result.height == 50)
    let places = changed(source, result)
    #expect(places.count > 400)
    #expect(places.allSatisfy { 10..<31 ~= $0.x && 13..<40 ~= $0.y })
    // Inverted, it is the other part.
    let other = try drawn {
      $0.picture.mask = scratch.path("mask.png")
      ($0.picture.maskBlur, $0.picture.strength) = (0, 1)
      $0.picture.invertsMask = true
    }
    let outside = changed(source, other)
    #expect(outside.count > 1500)
    #expect(outside.allSatisfy { !(10..<31 ~= $0.x && 13..<40 ~= $0.y) })
  }

  /// A soft edge fades outwards over ⌊2.5σ + ½⌋ pixels.
  @Test func fadesOutwards() throws {
    let source = try image(64, 64)
    _ = try mask(64, 64, (24..<40, 24..<40))
    let result = try drawn {
      $0.picture.mask = scratch.path("mask.png")
      ($0.picture.maskBlur, $0.picture.strength) = (2, 1)
    }
    let places = changed(source, result)
    #expect(places.contains { $0.x < 24 })
    #expect(places.allSatisfy { 19..<45 ~= $0.x && 19..<45 ~= $0.y })
  }

  /// Only the surroundings of the mask are drawn, in the size that is asked for.
  @Test func drawsOnlyMasked() throws {
    let source = try image(200, 120)
    _ = try mask(200, 120, (150..<170, 30..<50))
    let edit: (inout SampleRequest) -> Void = {
      $0.picture.mask = scratch.path("mask.png")
      ($0.picture.drawsOnlyMasked, $0.picture.padding, $0.picture.maskBlur) = (true, 12, 0)
      ($0.width, $0.height, $0.picture.strength) = (96, 64, 1)
    }
    let plan = try SamplePlan(request(edit))
    #expect(plan.width == 96 && plan.height == 64)
    #expect(plan.picture?.notes.last == "66x44 pixels from 127,18 are drawn as 96x64 and put back")
    let result = try drawn(edit)
    #expect(result.width == 200 && result.height == 120)
    let places = changed(source, result)
    #expect(places.count > 300)
    #expect(places.allSatisfy { 150..<170 ~= $0.x && 30..<50 ~= $0.y })
    let texts = try PNG.read(scratch.url.appending(path: "drawn.png")).texts
    let parameters = try #require(texts.first { $0.keyword == "parameters" }).text
    #expect(
      parameters.contains(
        "Denoising strength: 1, Mask blur: 0, Inpaint area: Only masked, Masked area padding: 12"))
  }

  /// What is added is drawn, and the picture within stays as it is.
  @Test func extendsAPicture() throws {
    let source = try image(64, 48)
    let result = try drawn {
      $0.picture.margins.left = 16
      $0.picture.margins.bottom = 10
      $0.picture.maskBlur = 0
    }
    #expect(result.width == 80 && result.height == 58)
    #expect(result.cropped(left: 16, top: 0, width: 64, height: 48) == source)
    #expect(Set(result.pixels.suffix(80 * 3)).count > 8)
  }

  /// A region alone is drawn, with its own strength.
  @Test func keepsOutsideOfRegions() throws {
    let source = try image(64, 64)
    let result = try drawn {
      $0.picture.keepsOutside = true
      $0.picture.maskBlur = 0
      $0.regions.texts = ["box=16,8,48,40; prompt=a fox; strength=1"]
    }
    let places = changed(source, result)
    #expect(places.count > 700)
    #expect(places.allSatisfy { 16..<48 ~= $0.x && 8..<40 ~= $0.y })
  }

  /// A place with less strength begins later, and until then is as the picture is.
  @Test func strengthByRegion() throws {
    _ = try image(64, 64)
    let edit: (inout SampleRequest) -> Void = {
      ($0.steps, $0.picture.strength) = (4, 0.25)
      $0.regions.texts = ["box=0,0,0.5,1; prompt=a fox; strength=0.75"]
    }
    let plan = try SamplePlan(request(edit))
    #expect(plan.calls == 3 && plan.picture?.leftOut == 1)
    let side = plan.latentWidth
    #expect(plan.picture?.begins.enumerated().allSatisfy { $1 == ($0 % side < side / 2 ? 1 : 3) } == true)
    let result = try drawn(edit)
    let weaker = try drawn {
      edit(&$0)
      $0.regions.texts = ["box=0,0,0.5,1; prompt=a fox; strength=0.25"]
    }
    #expect(!changed(result, weaker).isEmpty)
  }

  @Test func fillsAndResizes() throws {
    let source = try image(64, 64)
    _ = try mask(64, 64, (16..<48, 16..<48))
    var seen: Set<[UInt8]> = []
    for fill in PictureOptions.Fill.allCases {
      let result = try drawn {
        $0.picture.mask = scratch.path("mask.png")
        ($0.picture.fill, $0.picture.strength, $0.picture.maskBlur) = (fill, 0.5, 0)
      }
      #expect(changed(source, result).allSatisfy { 16..<48 ~= $0.x && 16..<48 ~= $0.y })
      seen.insert(result.pixels)
    }
    #expect(seen.count == 4)
    // A mask of the same proportions is resized, and the picture brought to a size in three ways.
    _ = try image(48, 32)
    _ = try mask(96, 64, (0..<96, 0..<32))
    seen = []
    for mode in PictureOptions.Resize.allCases {
      let plan = try SamplePlan(
        request {
          ($0.width, $0.height, $0.picture.resize) = (64, 64, mode)
          $0.picture.mask = scratch.path("mask.png")
        })
      #expect(plan.width == 64 && plan.height == 64)
      #expect(plan.picture?.notes.first == "the mask of 96x64 is resized to the picture's 48x32")
      #expect(plan.picture?.notes.count == 2)
      let result = try drawn { ($0.width, $0.height, $0.picture.resize) = (64, 64, mode) }
      seen.insert(result.pixels)
    }
    #expect(seen.count == 3)
    // Of one side the other follows.
    #expect(try SamplePlan(request { $0.width = 96 }).height == 64)
  }

  @Test func refusesWhatCannotBe() throws {
    _ = try image(64, 64)
    _ = try mask(64, 32, (0..<8, 0..<8))
    expectRefusal("--strength 0 of 2 steps leaves none", "at least 0.5") { $0.picture.strength = 0 }
    expectRefusal("--strength 1.5", "from 0 to 1") { $0.picture.strength = 1.5 }
    expectRefusal("--strength -", "from 0 to 1") { $0.picture.strength = -0.1 }
    expectRefusal("--strength nan") { $0.picture.strength = .nan }
    expectRefusal("--steps 0") { $0.steps = 0 }
    expectRefusal("leaves none", "at least 1") { $0.steps = 1 }
    #expect(throws: Never.self) {
      try SamplePlan(
        request {
          ($0.steps, $0.picture.strength) = (1, 1)
        })
    }
    expectRefusal("mask of 64x32 for a picture of 64x64", status: .failure) {
      $0.picture.mask = scratch.path("mask.png")
    }
    expectRefusal("none.png", "no such", status: .failure) { $0.picture.image = scratch.path("none.png") }
    try scratch.write("torn.png", "GIF89a")
    expectRefusal("torn.png", "neither PNG, JPEG nor WebP", status: .failure) {
      $0.picture.image = scratch.path("torn.png")
    }
    expectRefusal("torn.png", status: .failure) { $0.picture.mask = scratch.path("torn.png") }
    expectRefusal("the picture of --init-img", status: .failure) {
      $0.picture.image = "data:image/png;base64,aGVsbG8="
    }
    for edit: (inout PictureOptions) -> Void in [
      { $0.mask = "m" }, { $0.strength = 1 }, { $0.margins.left = 8 }, { $0.keepsOutside = true },
    ] {
      expectRefusal("--init-img") {
        $0.picture = PictureOptions()
        edit(&$0.picture)
      }
    }
    expectRefusal("--mask-blur", "--mask") { $0.picture.maskBlur = 2 }
    expectRefusal("--mask-blur 65") { $0.picture.maskBlur = 65 }
    expectRefusal("--inpaint-fill", "--mask") { $0.picture.fill = .noise }
    expectRefusal("--inpaint-full-res", "--mask") { $0.picture.drawsOnlyMasked = true }
    expectRefusal("--inpaint-invert", "--mask") { $0.picture.invertsMask = true }
    expectRefusal("--outpaint 5000") { $0.picture.margins.top = 5000 }
    expectRefusal("--outpaint -1") { $0.picture.margins.top = -1 }
    expectRefusal("region 1", "--init-img") {
      $0.picture = PictureOptions()
      $0.regions.texts = ["box=0,0,1,1; prompt=a; strength=0.5"]
    }
    expectRefusal("region 1", "strength=2", "at most 1") {
      $0.regions.texts = ["box=0,0,1,1; prompt=a; strength=2"]
    }
    expectRefusal("--hires", "--init-img") { $0.hires.isOn = true }
    expectRefusal("nothing of the picture") { $0.picture.keepsOutside = true }
    expectRefusal("--width 0", "from 1") { $0.width = 0 }
    expectRefusal("--subseed-strength 2") { $0.variation.strength = 2 }
    _ = try mask(64, 64, (0..<0, 0..<0))
    expectRefusal("marks nothing") { $0.picture.mask = scratch.path("mask.png") }
  }

  /// Large pictures are refused before anything is allocated for drawing them.
  @Test func refusesHugePictures() throws {
    _ = try image(2000, 1500)
    expectRefusal("2000x1500", "--width", "--inpaint-full-res") { _ in }
    expectRefusal("--width 9000") { $0.width = 9000 }
    _ = try image(64, 64)
    expectRefusal("--outpaint", "8192") {
      ($0.picture.margins.left, $0.picture.margins.right) = (4096, 4096)
    }
  }

  @Test func spellings() {
    #expect(PictureOptions.Resize(spelling: "Crop and resize") == .crop)
    #expect(PictureOptions.Resize(spelling: "2") == .pad)
    #expect(PictureOptions.Resize(spelling: "stretch") == nil)
    #expect(PictureOptions.Fill(spelling: "latent noise") == .noise)
    #expect(PictureOptions.Fill(spelling: "1") == .original)
    #expect(PictureOptions.Margins(spelling: "left=64, down=8")?.bottom == 8)
    #expect(PictureOptions.Margins(spelling: "16")?.top == 16)
    for wrong in ["", "left", "left=x", "side=3", "left=1,left=2", "left=1,"] {
      #expect(PictureOptions.Margins(spelling: wrong) == nil)
    }
    // As in Python, where 100 * 0.29 is 28.999….
    #expect(PictureOptions.leftOut(of: 100, strength: 0.29) == 72)
    #expect(PictureOptions.leftOut(of: 20, strength: 1) == 0)
  }
}
