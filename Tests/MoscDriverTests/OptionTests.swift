import Foundation
import MoscDiffusion
import MoscDriver
import MoscEngine
import MoscFuse
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample
import MoscTrain
import Testing

@Suite struct OptionTests {
  @Test func readsSeedLists() {
    #expect(SeedList(spelling: "1,2,5-8")?.seeds() == [1, 2, 5, 6, 7, 8])
    #expect(SeedList(spelling: "8-5") == nil)
    #expect(SeedList(spelling: "cat") == nil)
    let random = SeedList.random.seeds()
    #expect(random.count == 1 && random != SeedList.random.seeds() && random[0] <= UInt32.max)
  }

  @Test func readsSizes() {
    #expect(PictureSize(spelling: "512x768") == PictureSize(width: 512, height: 768))
    #expect(PictureSize(spelling: "512X768") == PictureSize(width: 512, height: 768))
    #expect(PictureSize(spelling: "512") == nil)
    #expect(PictureSize(spelling: "0x8") == nil)
    #expect(PictureSize(spelling: "8x-8") == nil)
    #expect(PictureSize(spelling: "8x8x8") == nil)
  }

  @Test func readsTargets() {
    for spelling in RunTarget.spellings { #expect(RunTarget(spelling: spelling) != nil, "\(spelling)") }
    #expect(RunTarget(spelling: "unet") == .program(.component(.unet)))
    #expect(RunTarget(spelling: "-") == .program(.file("-")))
    #expect(RunTarget(spelling: "painter") == nil && RunTarget(spelling: "a.txt") == nil)
    #expect(LatentSize(spelling: "8x16") == LatentSize(height: 8, width: 16))
  }

  @Test func readsPrecisions() {
    #expect(Precision(spelling: "bf16") == .bf16)
    #expect(Precision(spelling: "FP32") == .f32)
    #expect(Precision(spelling: "INT8") == .int8)
    #expect(Precision(spelling: "int4") == nil)
  }

  @Test func readsAdaptersWithStrengths() {
    let both = AdapterRequest(spelling: "a:b.pth:0.5:0.75")
    #expect(both == AdapterRequest(path: "a:b.pth", textEncoder: 0.5, unet: 0.75))
    #expect(AdapterRequest(spelling: "a.pth:2") == AdapterRequest(path: "a.pth", textEncoder: 2, unet: 2))
    #expect(AdapterRequest(spelling: ":1") == nil)
  }

  @Test func readsConceptsToFuse() {
    #expect(FusionInput(spelling: "all.JSON") == .configuration("all.JSON"))
    #expect(FusionInput(spelling: "a.pth:0.5") == .concept(AdapterRequest(path: "a.pth", textEncoder: 0.5, unet: 0.5)))
    let change = Reweighing(spelling: "cat=0.5:0.25")
    #expect(change?.name == "cat" && change?.textEncoder == 0.5 && change?.unet == 0.25)
    #expect(Reweighing(spelling: "cat") == nil && Reweighing(spelling: "cat=much") == nil)
  }

  @Test func readsSizesOfMemory() {
    #expect(ByteSize(spelling: "6G")?.bytes == 6 << 30)
    #expect(ByteSize(spelling: "1.5k")?.bytes == 1536)
    #expect(ByteSize(spelling: "800")?.bytes == 800)
    for bad in ["0", "-1G", "much", "", "nan", "G", "1e30G"] { #expect(ByteSize(spelling: bad) == nil) }
  }

  @Test(arguments: [
    ("a.png", 1, 1, "a.png"), ("a.png", 2, 3, "a_2.png"), ("o/a", 2, 3, "o/a_2"),
    ("a_%03d.png", 7, 9, "a_007.png"), ("a_%d.png", 1, 1, "a_1.png"), ("v1.2/a", 1, 2, "v1.2/a_1"),
    ("100%%.png", 1, 1, "100%.png"), ("-", 1, 1, "-"), ("%d-%02d.png", 3, 9, "3-03.png"),
    ("[seed].png", 2, 3, "7.png"), ("[prompt]/%d.jpg", 2, 3, "a_fox_on_gräss-land/2.jpg"),
    ("[old]/[seed", 1, 2, "[old]/[seed_1"), ("%%d.png", 1, 2, "%d_1.png"),
  ])
  func namesSeriesOfPictures(pattern: String, index: Int, count: Int, name: String) throws {
    let item = OutputPattern.Item(seed: 7, prompt: "a fox, (on) ../gräss-land!")
    #expect(try OutputPattern(pattern, .picture).name(item, index, of: count) == name)
  }

  @Test(arguments: ["a_%s.png", "50%.png", "%", "a%-3d"])
  func refusesOtherConversions(pattern: String) {
    #expect(throws: CommandError.self) { try OutputPattern(pattern, .picture).name(.init(), 1, of: 1) }
  }

  @Test func promptsInNamesAreBounded() throws {
    func name(_ prompt: String) throws -> String {
      try OutputPattern("[prompt]", .picture).name(.init(prompt: prompt), 1, of: 1)
    }
    #expect(try name("!?, …") == "untitled")
    #expect(try name(String(repeating: "fox ", count: 999)).utf8.count <= 100)
    #expect(try name(String(repeating: "狐", count: 999)).utf8.count <= 100)
  }
}
