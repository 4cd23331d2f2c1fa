import Foundation
import MoscFormats
import MoscImages
import MoscTrain
import TestSupport
import Testing

/// Captions as their files hold them, and what is said of those that are not learnt.
@Suite struct CaptionTests {
  private func folder(_ files: [String: String]) throws -> Scratch {
    let scratch = Scratch()
    for (name, text) in files {
      if name.hasSuffix(".png") {
        let image = PixelImage(width: 8, height: 8, pixels: [UInt8](repeating: 7, count: 192))
        try scratch.write(name, try PNG.encode(image))
      } else {
        try scratch.write(name, text)
      }
    }
    return scratch
  }

  private func setup(_ scratch: Scratch) throws -> TrainingSetup {
    try FolderSetup(folder: scratch.url, concept: "<c1> <c2>", start: "cat").read()
  }

  /// A caption ends with its line, and nothing else ends a line.
  @Test(arguments: [
    ("<c1> <c2>, red\nsecond", "<c1> <c2>, red"), ("<c1> <c2>, red\r\nsecond", "<c1> <c2>, red"),
    ("<c1> <c2>, red\rsecond", "<c1> <c2>, red"),
    ("<c1> <c2>, red\u{2029}and blue", "<c1> <c2>, red\u{2029}and blue"),
    ("<c1> <c2>, red\u{85}and blue\n", "<c1> <c2>, red\u{85}and blue"),
    ("<c1> <c2>, red\u{c}and blue", "<c1> <c2>, red\u{c}and blue"),
  ])
  func lines(_ text: String, _ caption: String) throws {
    let scratch = try folder(["a.png": "", "a.txt": text])
    #expect(try setup(scratch).dataset.images.map(\.caption) == [caption])
  }

  @Test func textLines() {
    #expect("a\nb\r\nc\rd\u{2028}e\u{b}f".textLines == ["a", "b", "c", "d\u{2028}e\u{b}f"])
    #expect("".textLines == [""])
  }

  @Test func saysThatCaptionsHaveAnotherExtension() throws {
    let other = try setup(folder(["a.png": "", "a.caption": "<c1> <c2>"])).warnings
    #expect(other.count == 1 && other[0].contains("a.caption") && other[0].contains("*.txt"))
    let upper = try setup(folder(["a.png": "", "a.TXT": "<c1> <c2>", "b.png": ""])).warnings
    #expect(upper.count == 1 && upper[0].contains("a.TXT"))
    // Notes about something else, and captions that are there.
    #expect(try setup(folder(["a.png": "", "readme.caption": "hello"])).warnings.isEmpty)
    let own = ["a.png": "", "a.txt": "<c1> <c2>", "b.png": "", "b.caption": "<c1> <c2>"]
    #expect(try setup(folder(own)).warnings.isEmpty)
    #expect(try setup(folder(["a.png": ""])).warnings.isEmpty)
  }

  @Test func saysItOfKohyasDatasetsToo() throws {
    let scratch = try folder(["3_cat/a.png": "", "3_cat/a.caption": "a cat"])
    let folders = try TrainingSetup.read(scratch.url)
    #expect(folders.warnings.count == 1 && folders.warnings[0].contains("a.caption"))
    try scratch.write(
      "set.toml",
      """
      [[datasets]]
      resolution = 64
      caption_extension = ".tags"
        [[datasets.subsets]]
        image_dir = "3_cat"
        class_tokens = "a cat"
      """)
    let toml = try TrainingSetup.read(scratch.url.appending(path: "set.toml"))
    #expect(toml.warnings.count == 1 && toml.warnings[0].contains("*.tags"))
  }

  @Test func saysThatPicturesAreTransparent() throws {
    let scratch = try folder(["a.png": ""])
    #expect(try setup(scratch).dataset.review().warnings.isEmpty)
    for (name, alpha) in [("b.png", UInt8(0)), ("c.png", 100), ("d.png", 200)] {
      let pixels = [UInt8](repeating: 90, count: 15) + [alpha]
      let image = PixelImage(width: 2, height: 2, channels: 4, pixels: pixels)
      // The pixels before are transparent by 90 of 255 as well.
      try scratch.write(name, try PNG.encode(alpha == 200 ? image.rgb : image))
    }
    let warnings = try setup(scratch).dataset.review().warnings
    #expect(warnings.count == 1 && warnings[0].contains("2 pictures") && warnings[0].contains("b.png"))
  }

  private func lengths(_ captions: String...) throws -> CaptionLengths {
    let images = captions.enumerated().map { number, caption in
      TrainingImage(image: URL(fileURLWithPath: "\(number).png"), caption: caption)
    }
    let tokenizer = try CLIPTokenizer(folder: Goldens.url("mix-of-show/base/tokenizer"))
    return CaptionLengths(
      Dataset(images: images, transforms: []), words: ["<c1>", "<c2>"], tokenizer)
  }

  @Test func captionsThatAreCut() throws {
    let long = [String](repeating: "tree", count: 80).joined(separator: " ")
    let short = [String](repeating: "tree", count: 73).joined(separator: " ")
    let fine = try lengths("<c1> <c2>, a photo", "\(short) <c1> <c2>")
    #expect(fine.problems.isEmpty && fine.warning == nil)
    let cut = try lengths("<c1> <c2>, \(long)", "<c1> <c2>")
    #expect(cut.problems.isEmpty)
    #expect(cut.warning?.contains("1 captions") == true && cut.warning?.contains("0.png") == true)
    let lost = try lengths("\(long) <c1> <c2>", "\(short), <c1> <c2>", "<c1> <c2>")
    #expect(lost.problems.count == 2)
    #expect("\(lost.problems[0])".contains("<c1>, <c2>"))
    #expect("\(lost.problems[1])".contains("<c2> would be cut off"))
  }
}
