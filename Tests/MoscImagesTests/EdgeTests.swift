import Foundation
import MoscFormats
import MoscImages
import TestSupport
import Testing

/// Edges and strokes, pixel by pixel as OpenCV finds them.
@Suite struct EdgeTests {
  private func read(_ name: String) throws -> PixelImage {
    try ImageFile.read(Goldens.url("opencv/\(name)"))
  }

  @Test func cannyEqualsOpenCV() throws {
    let picture = try read("picture.png")
    let file = try JSONValue.parse(try Data(contentsOf: Goldens.url("opencv/cases.json")), path: "cases.json")
    let cases = try #require(file["canny"]?.array)
    #expect(cases.count == 10)
    for entry in cases {
      var image = picture
      if entry["gray"] == .bool(true) {
        image = PixelImage(
          width: picture.width, height: picture.height, channels: 1,
          pixels: stride(from: 1, to: picture.pixels.count, by: 3).map { picture.pixels[$0] })
      }
      let edges = CannyEdges(low: entry["low"]?.int ?? 0, high: entry["high"]?.int ?? 0)(image)
      #expect(edges.channels == 1)
      #expect(edges.pixels.count { $0 > 0 } == entry["edges"]?.int, "\(entry)")
      #expect(try edges.pixels == read(entry["file"]?.string ?? "").gray.pixels, "\(entry)")
    }
  }

  @Test func strokesEqualTheWebUI() throws {
    let strokes = ScribbleLines()(try read("picture.png"))
    let expected = try read("scribble.png").gray
    #expect(expected.pixels.contains(255) && expected.pixels.contains(0))
    // Sums in another order: a difference at the threshold may fall to the other side.
    #expect(zip(strokes.pixels, expected.pixels).count { $0 != $1 } <= 2)
  }

  @Test(arguments: [(1, 1), (1, 5), (5, 1), (2, 2)])
  func smallPictures(width: Int, height: Int) {
    let image = PixelImage(
      width: width, height: height, channels: 1, pixels: (0..<width * height).map { UInt8($0 % 2 * 255) })
    #expect(CannyEdges()(image).pixels.count == width * height)
    #expect(ScribbleLines()(image).pixels.count == width * height)
    let flat = PixelImage(width: width, height: height, pixels: [UInt8](repeating: 9, count: 3 * width * height))
    #expect(CannyEdges(low: 0, high: 0)(flat).pixels.allSatisfy { $0 == 0 })
    #expect(ScribbleLines()(flat).pixels.allSatisfy { $0 == 0 })
  }
}
