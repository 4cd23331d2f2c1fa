import Foundation
import MoscImages
import Testing

/// Blurring, filling and laying over.
@Suite struct ImageOperationTests {
  private func grey(_ width: Int, _ height: Int, _ value: (Int, Int) -> UInt8) -> PixelImage {
    PixelImage(
      width: width, height: height, channels: 1,
      pixels: (0..<width * height).map { value($0 % width, $0 / width) })
  }

  @Test func blursByTheKernel() {
    // σ = 1 reaches 3 pixels: exp(−i²/2) over their sum 2.5059….
    let dot = grey(9, 9) { $0 == 4 && $1 == 4 ? 255 : 0 }.blurred(sigma: 1)
    let row = dot.pixels[36..<45]
    #expect(Array(row) == [0, 0, 6, 25, 41, 25, 6, 0, 0])
    #expect(grey(7, 5) { _, _ in 90 }.blurred(sigma: 4).pixels == [UInt8](repeating: 90, count: 35))
    #expect(grey(3, 1) { x, _ in UInt8(x) }.blurred(sigma: 0).pixels == [0, 1, 2])
    // One pixel has no neighbours to mirror.
    #expect(grey(1, 1) { _, _ in 7 }.blurred(sigma: 3).pixels == [7])
  }

  @Test func wideBlurHasTheVarianceOfAGaussKernel() {
    for sigma in [2.0, 5.5, 16] {
      let size = 201
      var plane = [Float](repeating: 0, count: size)
      plane[100] = 1
      let blurred = BoxBlur(sigma: sigma).applied(to: plane, size, 1)
      let sum = blurred.reduce(0, +)
      let variance = blurred.enumerated().reduce(Float(0)) { $0 + $1.element * Float(($1.offset - 100) * ($1.offset - 100)) }
      #expect(abs(sum - 1) < 1e-4)
      #expect(abs(Double(variance).squareRoot() / sigma - 1) < 1e-3, "\(sigma)")
    }
  }

  @Test func fillsWithTheColoursAround() {
    // Red at the left, blue at the right, and a hole in the middle.
    let image = PixelImage(
      width: 30, height: 10,
      pixels: (0..<300).flatMap { place -> [UInt8] in
        let x = place % 30
        return x < 10 ? [255, 0, 0] : x < 20 ? [0, 255, 0] : [0, 0, 255]
      })
    let hole = grey(30, 10) { x, _ in 10..<20 ~= x ? 255 : 0 }
    let filled = image.filled(where: hole)
    func pixel(_ x: Int) -> [UInt8] { Array(filled.pixels[(5 * 30 + x) * 3..<(5 * 30 + x) * 3 + 3]) }
    #expect(pixel(5) == [255, 0, 0] && pixel(25) == [0, 0, 255])
    #expect((10..<20).allSatisfy { pixel($0)[1] == 0 })
    #expect(pixel(10)[0] > pixel(10)[2] && pixel(19)[2] > pixel(19)[0])
    let all = image.filled(where: grey(30, 10) { _, _ in 255 })
    #expect(Set(all.pixels) == [128])
  }

  @Test func windowsRepeatTheEdge() {
    let image = grey(2, 2) { x, y in UInt8(1 + x + 2 * y) }
    #expect(image.window(left: -1, top: 1, width: 4, height: 2).pixels == [3, 3, 4, 4, 3, 3, 4, 4])
  }

  @Test func laysOver() {
    let (a, b) = (grey(3, 1) { x, _ in [10, 20, 30][x] }, grey(3, 1) { _, _ in 200 })
    #expect(a.overlaid(with: b, where: grey(3, 1) { x, _ in [0, 255, 51][x] }).pixels == [10, 200, 64])
    let clear = PixelImage(width: 2, height: 1, channels: 4, pixels: [9, 9, 9, 0, 9, 9, 9, 255])
    #expect(clear.onWhite.pixels == [255, 255, 255, 9, 9, 9])
  }
}
