import Foundation
import MoscImages
import TestSupport
import Testing

/// Where results go, and that their names are on standard output.
@Suite struct ResultTests {
  private let scratch = Scratch()
  private let small = ["--steps", "1", "-W", "16", "-H", "16", "-q"]

  private func sample(_ arguments: String...) throws -> MoscProgram.Outcome {
    try MoscProgram.run(["sample"] + small + arguments, in: scratch)
  }

  @Test func picturesAreNumberedAndNeverReplaced() throws {
    #expect(try sample("-p", "a fox", "-s", "5").output == "00000-5.png\n")
    let first = try Data(contentsOf: URL(fileURLWithPath: scratch.path("00000-5.png")))
    let more = try sample("-p", "a fox", "-p", "a robot", "-s", "5,8")
    #expect(more.output == "00001-5.png\n00002-8.png\n00003-5.png\n00004-8.png\n")
    #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.path("00000-5.png"))) == first)
    // Both prompts are drawn, and each is the prompt of its own pictures.
    let texts = try [1, 3].map { number in
      try PNG.read(URL(fileURLWithPath: scratch.path("0000\(number)-5.png"))).texts[0].text
    }
    #expect(texts[0].hasPrefix("a fox") && texts[1].hasPrefix("a robot"))
    #expect(try sample("-p", "a fox", "-s", "1", "-o", "new/deep/").output == "new/deep/00000-1.png\n")
    #expect(try sample("-p", "a fox", "-s", "1", "-o", "new").output == "new/00000-1.png\n")
    #expect(try sample("-p", "a fox!", "-s", "1,2", "-o", "new/[prompt]-[seed].png").output
      == "new/a_fox-1.png\nnew/a_fox-2.png\n")
    #expect(try sample("-p", "a fox", "-n", "a", "-n", "b").status == 2)
  }

  @Test func namesTellTheFormat() throws {
    #expect(try sample("-p", "a fox", "-s", "1", "-o", "a.jpg").output == "a.jpg\n")
    let data = try Data(contentsOf: URL(fileURLWithPath: scratch.path("a.jpg")))
    #expect(data.starts(with: [0xff, 0xd8]) && JPEG.texts(data).first?.text.hasPrefix("a fox") == true)
    #expect(try sample("-p", "a fox", "-s", "1", "-o", "a.webp").output == "a.webp\n")
    let webp = try Data(contentsOf: URL(fileURLWithPath: scratch.path("a.webp")))
    #expect(WebP.begins(webp) && WebP.texts(webp).map(\.keyword) == ["parameters", "mosc"])
    #expect(try MoscProgram.run(["inspect", "a.webp"], in: scratch).output.contains("a WebP picture"))
    for name in ["a.gif", "a.bmp", "a.safetensors"] {
      let outcome = try sample("-p", "a fox", "-o", name)
      #expect(outcome.status == 2 && outcome.errors.contains("'\(name)'"), "\(outcome.errors)")
      #expect(try MoscProgram.run(["grid", "--row", "=a.jpg", "-o", name], in: scratch).status == 2)
      #expect(try MoscProgram.run(["sketch", "a.jpg", "-o", name], in: scratch).status == 2)
    }
    for command in [["fuse", "a.pth", "-o", "b.pth"], ["train", "--data", "x", "-o", "b.ckpt"]] {
      let outcome = try MoscProgram.run(command, in: scratch)
      #expect(outcome.status == 2 && outcome.errors.contains(".safetensors"), "\(outcome.errors)")
    }
    #expect(scratch.names.sorted() == ["a.jpg", "a.webp"])
  }

  @Test func sheetsAndSketchesAreNumbered() throws {
    let picture = Goldens.url("pillow/source.png").path
    for number in 0..<2 {
      let grid = try MoscProgram.run(["grid", "--row", "=\(picture)"], in: scratch)
      #expect(grid.output == "grid-000\(number).png\n", "\(grid.errors)")
      let sketch = try MoscProgram.run(["sketch", picture], in: scratch)
      #expect(sketch.output == "sketch-000\(number).png\n", "\(sketch.errors)")
    }
    #expect(try MoscProgram.run(["sketch", picture, "-o", "-"], in: scratch).output.hasPrefix("\u{fffd}PNG"))
    #expect(scratch.names.count == 4)
  }
}
