/// Which share of a pixel's attention goes to which prompt, at one resolution.
///
/// With a_r the membership of a pixel in region r times the region's weight, the picture's prompt
/// has the share `s_0 = max(0, 1 − max_r a_r)` and region r `(1 − s_0) · a_r / Σ a`. For boxes of
/// weight 1 that is the reference's rule: inside of boxes their average, outside the picture's
/// prompt. Source: Mix-of-Show, `RegionT2I_AttnProcessor`. `Overlap` has other rules. What is left for the
/// picture's prompt goes to background regions, and a region's `base` gives that part of its share back.
package struct RegionCoverage: Hashable, Sendable {
  /// How a box becomes cells of a coarse grid.
  package enum Rounding: Hashable, Sendable {
    /// A cell belongs to a box that holds its centre.
    case centre
    /// From `⌈edge⌉` to `⌊edge⌋`, as the reference cuts: boxes shrink.
    case inward
  }

  /// What becomes of a pixel in several regions, a_r as above.
  package enum Overlap: String, CaseIterable, Hashable, Codable, Sendable {
    /// The regions' average by weight.
    case average
    /// Later regions lie on top of earlier ones: `s_r = a_r · Π_{q>r} (1 − a_q)`.
    case priority
    /// The sum, as long as it leaves something: `s_r = a_r / max(1, Σ a)`. Two faded edges that meet give a
    /// seamless transition, and each region alone fades to the picture's prompt.
    case blend
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
    rounding: Rounding, overlap: Overlap = .average
  ) {
    self.height = height
    self.width = width
    let cells = height * width
    var amounts: [[Float]] = []
    var empty: [Int] = []
    for (index, region) in regions.enumerated() {
      if region.isBackground {
        amounts.append([Float](repeating: 0, count: cells))
        if region.weight <= 0 { empty.append(index) }
        continue
      }
      let member = Self.membership(region, height, width, pictureWidth, rounding)
      if !member.contains(where: { $0 > 0 }) || region.weight <= 0 { empty.append(index) }
      let weight = active[index] ? Float(region.weight) : 0
      amounts.append(member.map { $0 * weight })
    }
    var shares = [Float](repeating: 0, count: (regions.count + 1) * cells)
    for cell in 0..<cells {
      var rest: Float
      switch overlap {
      case .average:
        let sum = amounts.reduce(Float(0)) { $0 + $1[cell] }
        rest = max(0, 1 - amounts.reduce(Float(0)) { max($0, $1[cell]) })
        for index in regions.indices where sum > 0 {
          shares[(index + 1) * cells + cell] = (1 - rest) * amounts[index][cell] / sum
        }
      case .priority:
        rest = 1
        for index in regions.indices.reversed() {
          let amount = min(1, amounts[index][cell])
          shares[(index + 1) * cells + cell] = amount * rest
          rest *= 1 - amount
        }
      case .blend:
        let sum = amounts.reduce(Float(0)) { $0 + $1[cell] }
        rest = max(0, 1 - sum)
        for index in regions.indices {
          shares[(index + 1) * cells + cell] = amounts[index][cell] / max(1, sum)
        }
      }
      shares[cell] = rest
    }
    Self.fillBackground(regions, active, &shares, cells)
    for (index, region) in regions.enumerated() where region.base > 0 {
      for cell in 0..<cells {
        let part = Float(region.base) * shares[(index + 1) * cells + cell]
        shares[cell] += part
        shares[(index + 1) * cells + cell] -= part
      }
    }
    self.shares = shares
    self.empty = empty
  }

  /// Gives what is left for the picture's prompt to background regions, by weight.
  private static func fillBackground(
    _ regions: [Region], _ active: [Bool], _ shares: inout [Float], _ cells: Int
  ) {
    let fills = regions.indices.filter { regions[$0].isBackground && active[$0] }
    let sum = fills.reduce(Float(0)) { $0 + Float(regions[$1].weight) }
    guard sum > 0 else { return }
    for cell in 0..<cells {
      let rest = shares[cell]
      for index in fills {
        shares[(index + 1) * cells + cell] = rest * Float(regions[index].weight) / max(1, sum)
      }
      shares[cell] = rest * max(0, 1 - sum)
    }
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
