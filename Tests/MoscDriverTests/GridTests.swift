import Foundation
import MoscDriver
import MoscImages
import MoscReport
import TestSupport
import Testing

@Suite struct GridTests {
  private let scratch = Scratch()

  /// A picture whose pixels are all different.
  private func picture(_ name: String, _ width: Int, _ height: Int) throws -> PixelImage {
    let pixels = (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 * 7 + width) }
    let image = PixelImage(width: width, height: height, pixels: pixels)
    try PNG.write(image, to: URL(fileURLWithPath: scratch.path(name)))
    return image
  }

  private func colour(_ image: PixelImage, _ x: Int, _ y: Int) -> [UInt8] {
    let start = (y * image.width + x) * 3
    return Array(image.pixels[start..<start + 3])
  }

  /// Pictures stand side by side on white, enlarged.
  @Test(arguments: [(scale: 1, gap: 4), (scale: 3, gap: 8), (scale: 2, gap: 0)])
  func places(scale: Int, gap: Int) throws {
    let (a, b) = try (
      picture("a.png", 5, 4).resized(width: 5 * scale, height: 4 * scale, .bicubic),
      picture("b.png", 3, 6).resized(width: 3 * scale, height: 6 * scale, .bicubic)
    )
    var request = GridRequest()
    request.rows = ["=\(scratch.path("a.png")),\(scratch.path("b.png"))"]
    request.output = scratch.path("sheet.png")
    request.scale = scale
    request.gap = scale == 2 ? 0 : nil
    try GridJob(request, .silent).run()
    let sheet = try ImageFile.read(URL(fileURLWithPath: request.output)).rgb
    #expect(sheet.width == gap + a.width + gap + b.width + gap)
    #expect(sheet.height == gap + b.height + gap)
    let places = [(left: gap, picture: a), (left: gap + a.width + gap, picture: b)]
    for y in 0..<sheet.height {
      for x in 0..<sheet.width {
        let inside = places.first { left, picture in
          left..<left + picture.width ~= x && gap..<gap + picture.height ~= y
        }
        let expected = inside.map { left, picture in colour(picture, x - left, y - gap) }
        #expect(colour(sheet, x, y) == expected ?? [255, 255, 255], "\(x), \(y)")
      }
    }
  }

  @Test func badInput() throws {
    _ = try picture("a.png", 2, 2)
    let good = "=\(scratch.path("a.png"))"
    func fault(_ change: (inout GridRequest) -> Void) -> String {
      var request = GridRequest()
      request.rows = [good]
      request.output = scratch.path("none.png")
      change(&request)
      do {
        try GridJob(request, .silent).run()
        return "nothing"
      } catch { return "\(error)" }
    }
    #expect(fault { $0.rows = [] }.contains("no --row"))
    #expect(fault { $0.rows = ["a.png"] }.contains("expected 'TITLE=FILE"))
    #expect(fault { $0.rows = ["cat="] }.contains("names no picture"))
    #expect(fault { $0.rows.append("=\(scratch.path("missing.png"))") }.contains("missing.png"))
    #expect(fault { $0.scale = 0 }.contains("expected 1 to 16"))
    #expect(!FileManager.default.fileExists(atPath: scratch.path("none.png")))
  }
}
