/// Edges one pixel wide: where brightness changes most, if much, or some beside much.
///
/// Gradients are Sobel's 3×3 with the border repeated, of each pixel those of the channel where
/// `|gx| + |gy|` is largest. A pixel is an edge if that is above both neighbours across the edge (quantised
/// to four directions at 22.5° and 67.5°) and above `high`, or above `low` and connected to such a pixel
/// through others, by sides or corners. All in integers, so that it is equal to `cv2.Canny(image, low,
/// high)`. Source: Canny 1986; the documentation of OpenCV's `Canny`.
package struct CannyEdges: Sendable {
  package var low: Int
  package var high: Int

  package init(low: Int = 100, high: Int = 200) { (self.low, self.high) = (low, high) }

  /// White edges on black, one channel.
  package func callAsFunction(_ image: PixelImage) -> PixelImage {
    let (w, h) = (image.width, image.height)
    let gradients = Self.gradients(image)
    // 0: no edge, 1: an edge if one leads to it, 2: an edge.
    var marks = [UInt8](repeating: 0, count: w * h)
    var open: [Int] = []
    for y in 0..<h {
      for x in 0..<w where gradients[x, y] > low && gradients.isRidge(x, y) {
        let isEdge = gradients[x, y] > high
        marks[y * w + x] = isEdge ? 2 : 1
        if isEdge { open.append(y * w + x) }
      }
    }
    while let place = open.popLast() {
      let (x, y) = (place % w, place / w)
      for ny in max(0, y - 1)...min(h - 1, y + 1) {
        for nx in max(0, x - 1)...min(w - 1, x + 1) where marks[ny * w + nx] == 1 {
          marks[ny * w + nx] = 2
          open.append(ny * w + nx)
        }
      }
    }
    return PixelImage(width: w, height: h, channels: 1, pixels: marks.map { $0 == 2 ? 255 : 0 })
  }

  /// Gradients of all pixels, and their sizes.
  private struct Gradients {
    let width, height: Int
    var x: [Int32], y: [Int32]

    /// `|gx| + |gy|`; 0 outside of the picture.
    subscript(column: Int, row: Int) -> Int {
      guard 0..<width ~= column, 0..<height ~= row else { return 0 }
      let place = row * width + column
      return Int(abs(x[place])) + Int(abs(y[place]))
    }

    /// tan 22.5° in 15 bits.
    private static let tangent = 13_573

    /// Whether no neighbour across the edge is larger; of equal ones the last is the ridge.
    func isRidge(_ column: Int, _ row: Int) -> Bool {
      let place = row * width + column
      let own = self[column, row]
      let (gx, gy) = (Int(x[place]), Int(y[place]))
      let low = abs(gx) * Self.tangent
      let rise = abs(gy) << 15
      if rise < low {
        return own > self[column - 1, row] && own >= self[column + 1, row]
      }
      // tan 67.5° is tan 22.5° + 2.
      if rise > low + abs(gx) << 16 {
        return own > self[column, row - 1] && own >= self[column, row + 1]
      }
      let side = (gx ^ gy) < 0 ? -1 : 1
      return own > self[column - side, row - 1] && own > self[column + side, row + 1]
    }
  }

  private static func gradients(_ image: PixelImage) -> Gradients {
    let (w, h, channels) = (image.width, image.height, image.channels)
    // Transparency is no colour.
    let colours = channels == 4 ? 3 : channels
    var result = Gradients(
      width: w, height: h, x: [Int32](repeating: 0, count: w * h), y: [Int32](repeating: 0, count: w * h))
    image.pixels.withUnsafeBufferPointer { pixels in
      for y in 0..<h {
        let (above, below) = (max(0, y - 1) * w, min(h - 1, y + 1) * w)
        for x in 0..<w {
          let (left, right) = (max(0, x - 1), min(w - 1, x + 1))
          var largest: Int32 = -1
          for c in 0..<colours {
            func at(_ row: Int, _ column: Int) -> Int32 { Int32(pixels[(row + column) * channels + c]) }
            let row = y * w
            let gx =
              at(above, right) + 2 * at(row, right) + at(below, right)
              - at(above, left) - 2 * at(row, left) - at(below, left)
            let gy =
              at(below, left) + 2 * at(below, x) + at(below, right)
              - at(above, left) - 2 * at(above, x) - at(above, right)
            if abs(gx) + abs(gy) > largest {
              largest = abs(gx) + abs(gy)
              (result.x[row + x], result.y[row + x]) = (gx, gy)
            }
          }
        }
      }
    }
    return result
  }
}
