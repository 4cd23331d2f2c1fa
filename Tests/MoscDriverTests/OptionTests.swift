import Foundation
import MoscDriver
import MoscEngine
import MoscReport
import MoscSample
import Testing

@Suite struct OptionTests {
  @Test func readsSeedLists() {
    #expect(SampleRequest.seeds("1,2,5-8") == [1, 2, 5, 6, 7, 8])
    #expect(SampleRequest.seeds("8-5") == nil)
    #expect(SampleRequest.seeds("cat") == nil)
    let random = SampleRequest.seeds("-1")
    #expect(random?.count == 1 && random != SampleRequest.seeds("-1"))
  }

  @Test func readsSizes() {
    #expect(PictureSize("512x768") == PictureSize(width: 512, height: 768))
    #expect(PictureSize("512X768") == PictureSize(width: 512, height: 768))
    #expect(PictureSize("512") == nil)
    #expect(PictureSize("0x8") == nil)
    #expect(PictureSize("8x-8") == nil)
    #expect(PictureSize("8x8x8") == nil)
  }

  @Test func readsPrecisions() {
    #expect(Precision(spelling: "bf16") == .bf16)
    #expect(Precision(spelling: "FP32") == .f32)
    #expect(Precision(spelling: "INT8") == .int8)
    #expect(Precision(spelling: "int4") == nil)
  }

  @Test(arguments: [
    ("a.png", 1, 1, "a.png"), ("a.png", 2, 3, "a_2.png"), ("o/a", 2, 3, "o/a_2"),
    ("a_%03d.png", 7, 9, "a_007.png"), ("a_%d.png", 1, 1, "a_1.png"), ("v1.2/a", 1, 2, "v1.2/a_1"),
    ("100%%.png", 1, 1, "100%.png"), ("-", 1, 1, "-"),
  ])
  func namesSeriesOfPictures(pattern: String, index: Int, count: Int, name: String) throws {
    #expect(try OutputPattern(pattern).name(index, of: count) == name)
  }

  @Test func refusesOtherConversions() {
    #expect(throws: CommandError.self) { try OutputPattern("a_%s.png").name(1, of: 1) }
  }
}
