/// Which share of a pixel's attention goes to which prompt, at one resolution.
///
/// With a_r the membership of a pixel in region r times the region's weight, the picture's prompt
/// has the share `s_0 = max(0, 1 − max_r a_r)` and region r `(1 − s_0) · a_r / Σ a`. For boxes of
/// weight 1 that is the reference's rule: inside of boxes their average, outside the picture's
/// prompt. Source: Mix-of-Show, `RegionT2I_AttnProcessor`.
package struct RegionCoverage: Hashable, Sendable {
  /// How a box becomes cells of a coarse grid.
  package enum Rounding: Hashable, Sendable {
    /// A cell belongs to a box that holds its centre.
    case centre
    /// From `⌈edge⌉` to `⌊edge⌋`, as the reference cuts: boxes shrink.
    case inward
  }

  package let height: Int
  package let width: Int
  /// The shares `[regions + 1, height · width]`, the picture's prompt first.
  package let shares: [Float]
  /// The regions, by index, that cover no cell.
  package let empty: [Int]

  /// - Parameters:
  ///   - active: whether each region takes part.
  ///   - pictureWidth: the picture's width in pixels, which `feather` refers to.
  package init(
    _ regions: [Region], active: [Bool], height: Int, width: Int, pictureWidth: Int,
    rounding: Rounding
  ) {
    self.height = height
    self.width = width
    let cells = height * width
    var amounts: [[Float]] = []
    var empty: [Int] = []
    for (index, region) in regions.enumerated() {
      let member = Self.membership(region, height, width, pictureWidth, rounding)
      if !member.contains(where: { $0 > 0 }) || region.weight <= 0 { empty.append(index) }
      let weight = active[index] ? Float(region.weight) : 0
      amounts.append(member.map { $0 * weight })
    }
    var shares = [Float](repeating: 0, count: (regions.count + 1) * cells)
    for cell in 0..<cells {
      let sum = amounts.reduce(Float(0)) { $0 + $1[cell] }
      let most = amounts.reduce(Float(0)) { max($0, $1[cell]) }
      let rest = max(0, 1 - most)
      shares[cell] = rest
      guard sum > 0 else { continue }
      for index in regions.indices {
        shares[(index + 1) * cells + cell] = (1 - rest) * amounts[index][cell] / sum
      }
    }
    self.shares = shares
    self.empty = empty
  }

  /// How much each cell belongs to a region, 0 to 1.
  package static func membership(
    _ region: Region, _ height: Int, _ width: Int, _ pictureWidth: Int, _ rounding: Rounding
  ) -> [Float] {
    var result = [Float](repeating: 1, count: height * width)
    if let box = region.box {
      let scale = Double(pictureWidth) / Double(width)
      for y in 0..<height {
        let down = across(y, height, box.top, box.bottom, region.feather / scale, rounding)
        for x in 0..<width {
          let right = across(x, width, box.left, box.right, region.feather / scale, rounding)
          result[y * width + x] = Float(min(down, right))
        }
      }
    }
    if let mask = region.mask {
      for y in 0..<height {
        for x in 0..<width { result[y * width + x] *= mask.average(x, y, width, height) }
      }
    }
    return result
  }

  /// The membership of a cell along one axis; feather in cells. Edges on the picture's border do
  /// not fade.
  private static func across(
    _ cell: Int, _ count: Int, _ from: Double, _ to: Double, _ feather: Double,
    _ rounding: Rounding
  ) -> Double {
    let (low, high) = (from * Double(count), to * Double(count))
    if rounding == .inward, feather <= 0 {
      return Double(cell) >= low.rounded(.up) && Double(cell) < high.rounded(.down) ? 1 : 0
    }
    let centre = Double(cell) + 0.5
    let distance = min(from <= 0 ? .infinity : centre - low, to >= 1 ? .infinity : high - centre)
    if feather <= 0 { return centre >= low && centre < high ? 1 : 0 }
    return min(max(distance / feather + 0.5, 0), 1)
  }
}

extension RegionMask {
  /// The average over the pixels of a cell of a coarser grid.
  func average(_ x: Int, _ y: Int, _ columns: Int, _ rows: Int) -> Float {
    let xs = x * width / columns..<max(x * width / columns + 1, (x + 1) * width / columns)
    let ys = y * height / rows..<max(y * height / rows + 1, (y + 1) * height / rows)
    var sum: Float = 0
    for row in ys where row < height {
      for column in xs where column < width { sum += values[row * width + column] }
    }
    return sum / Float(xs.count * ys.count)
  }
}
