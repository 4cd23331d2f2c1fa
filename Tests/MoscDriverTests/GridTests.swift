import Foundation
import MoscDriver
import MoscImages
import TestSupport
import Testing

@Suite struct GridTests {
  private let scratch = Scratch()

  private func picture(_ name: String, _ width: Int, _ height: Int) throws -> String {
    let image = PixelImage(
      width: width, height: height, pixels: [UInt8](repeating: 90, count: width * height * 3))
    try PNG.write(image, to: URL(fileURLWithPath: scratch.path(name)))
    return scratch.path(name)
  }

  @Test func enlarges() throws {
    var request = GridRequest()
    request.rows = ["=\(try picture("a.png", 5, 4)),\(try picture("b.png", 3, 6))"]
    request.output = scratch.path("sheet.png")
    try GridJob(request).run()
    let small = try ImageFile.read(URL(fileURLWithPath: request.output))
    #expect(small.width == 4 + 5 + 4 + 3 + 4 && small.height == 4 + 6 + 4)
    request.scale = 3
    try GridJob(request).run()
    let large = try ImageFile.read(URL(fileURLWithPath: request.output))
    #expect(large.width == 8 + 15 + 8 + 9 + 8 && large.height == 8 + 18 + 8)
  }

  @Test func badInput() throws {
    let good = "=\(try picture("a.png", 2, 2))"
    func fault(_ change: (inout GridRequest) -> Void) -> String {
      var request = GridRequest()
      request.rows = [good]
      request.output = scratch.path("none.png")
      change(&request)
      do {
        try GridJob(request).run()
        return "nothing"
      } catch { return "\(error)" }
    }
    #expect(fault { $0.rows = [] }.contains("no --row"))
    #expect(fault { $0.rows = ["a.png"] }.contains("expected 'TITLE=FILE"))
    #expect(fault { $0.rows = ["cat="] }.contains("names no picture"))
    #expect(fault { $0.rows.append("=missing.png") }.contains("missing.png"))
    #expect(fault { $0.scale = 0 }.contains("expected 1 to 16"))
    #expect(!FileManager.default.fileExists(atPath: scratch.path("none.png")))
  }
}
