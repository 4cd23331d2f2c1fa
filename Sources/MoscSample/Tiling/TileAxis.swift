/// Equal tiles along one axis of a picture that overlap, and how much each counts at each place.
///
/// Over an overlap the share of one tile falls as that of the next rises, linearly, as in diffusers' tiled
/// autoencoder. Unlike there, tiles are equal, so that one program computes all: they are spread evenly,
/// rather than ending with what is left over. Along a ring, tiles go on at the opposite edge.
package struct TileAxis: Hashable {
  /// The units of the axis, and those of each tile.
  package let extent, tile: Int
  /// The first unit of each tile; ascending, below the extent.
  package let starts: [Int]
  /// Whether the axis is a ring that takes several tiles; one tile sees both edges by itself.
  package let crossesEdge: Bool

  /// The fewest tiles of at most `limit` units that overlap by at least `overlap`, made as small as so many
  /// may be.
  ///
  /// - Parameters:
  ///   - limit: above twice the overlap.
  ///   - isRing: whether the end is followed by the beginning.
  package init(extent: Int, limit: Int, overlap: Int, isRing: Bool) {
    self.extent = extent
    guard extent > limit else {
      (tile, starts, crossesEdge) = (extent, [0], false)
      return
    }
    crossesEdge = isRing
    let step = limit - overlap
    if isRing {
      let count = (extent + step - 1) / step
      tile = (extent + count - 1) / count + overlap
      starts = (0..<count).map { $0 * extent / count }
    } else {
      let count = (extent - overlap + step - 1) / step
      let size = (extent + (count - 1) * overlap + count - 1) / count
      tile = size
      starts = (0..<count).map { $0 * (extent - size) / (count - 1) }
    }
  }

  /// Where each element of a tile lies, when there are `scale` of them to a unit.
  package func places(of tile: Int, scale: Int) -> [Int] {
    let start = starts[tile] * scale
    return (0..<self.tile * scale).map { (start + $0) % (extent * scale) }
  }

  /// The share of each element of each tile, `[tile][element]`: all shares of a place add up to 1.
  package func shares(scale: Int) -> [[Float]] {
    guard starts.count > 1 else { return [[Float](repeating: 1, count: tile * scale)] }
    let length = tile * scale
    var shares = starts.indices.map { index -> [Float] in
      // How far this tile reaches into its neighbours; an outer edge has none.
      let next = index + 1 < starts.count ? starts[index + 1] : starts[0] + extent
      let before = index > 0 ? starts[index - 1] : starts[starts.count - 1] - extent
      let right = index + 1 < starts.count || crossesEdge ? (starts[index] + tile - next) * scale : 0
      let left = index > 0 || crossesEdge ? (before + tile - starts[index]) * scale : 0
      return (0..<length).map { place in
        let rise = left > 0 ? (Float(place) + 0.5) / Float(left) : 1
        let fall = right > 0 ? (Float(length - place) - 0.5) / Float(right) : 1
        return min(1, rise, fall)
      }
    }
    var sums = [Float](repeating: 0, count: extent * scale)
    for (index, line) in shares.enumerated() {
      for (share, place) in zip(line, places(of: index, scale: scale)) { sums[place] += share }
    }
    for index in shares.indices {
      let places = places(of: index, scale: scale)
      for element in places.indices { shares[index][element] /= sums[places[element]] }
    }
    return shares
  }
}
