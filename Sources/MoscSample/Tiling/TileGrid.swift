import MoscFormats
import MoscModel

/// A picture cut into equal tiles that overlap, for networks whose memory grows with the picture.
package struct TileGrid: Hashable {
  package let rows, columns: TileAxis

  /// The number of tiles.
  package var count: Int { rows.starts.count * columns.starts.count }

  /// Height and width of a tile, in units of the grid.
  package var tile: (height: Int, width: Int) { (rows.tile, columns.tile) }

  /// - Parameters:
  ///   - limit: the most units of a tile's edges.
  ///   - overlap: the fewest units that neighbours share.
  ///   - seamless: the directions in which the picture is a ring.
  package init(height: Int, width: Int, limit: Int, overlap: Int, seamless: Seamless? = nil) {
    let rings = seamless?.axes ?? []
    rows = TileAxis(extent: height, limit: limit, overlap: overlap, isRing: rings.contains(1))
    columns = TileAxis(extent: width, limit: limit, overlap: overlap, isRing: rings.contains(2))
  }

  /// The directions in which a network must see the opposite edge of a tile itself: those of the picture
  /// that one tile covers.
  package func seamless(of picture: Seamless?) -> Seamless? {
    let covered = [1: rows, 2: columns].filter { $0.value.starts.count == 1 }.keys
    return Seamless(axes: (picture?.axes ?? []).filter(covered.contains))
  }

  /// Runs a network on every tile of an image `[1,h,w,c]` and blends what it gives.
  ///
  /// - Parameters:
  ///   - scale: elements of the image to a unit of the grid.
  ///   - resultScale: elements of the result to a unit of the grid.
  ///   - run: the network: a tile `[1,h,w,c]` to `[1,h',w',c']`.
  package func blend(
    _ image: HostArray, scale: Int, resultScale: Int, _ run: (_ tile: HostArray, _ number: Int) throws -> HostArray
  ) throws -> HostArray {
    // What fits is computed as it is.
    if count == 1 { return try run(image, 0) }
    let (source, depth) = (image.floats, image.shape[3])
    let width = columns.extent * resultScale
    let (rowShares, columnShares) = (rows.shares(scale: resultScale), columns.shares(scale: resultScale))
    var sums: [Float] = []
    var channels = 0
    for row in rows.starts.indices {
      for column in columns.starts.indices {
        let number = row * columns.starts.count + column
        let (from, across) = (rows.places(of: row, scale: scale), columns.places(of: column, scale: scale))
        var cut: [Float] = []
        cut.reserveCapacity(from.count * across.count * depth)
        for y in from {
          for x in across {
            let first = (y * columns.extent * scale + x) * depth
            cut.append(contentsOf: source[first..<first + depth])
          }
        }
        let result = try run(HostArray(cut, shape: [1, from.count, across.count, depth]), number)
        if sums.isEmpty {
          channels = result.shape[3]
          sums = [Float](repeating: 0, count: rows.extent * resultScale * width * channels)
        }
        add(
          result.floats, to: &sums, channels, width: width, rows.places(of: row, scale: resultScale),
          columns.places(of: column, scale: resultScale), rowShares[row], columnShares[column])
      }
    }
    return HostArray(sums, shape: [1, rows.extent * resultScale, width, channels])
  }

  /// `sums[y, x] += row share · column share · tile`.
  private func add(
    _ tile: [Float], to sums: inout [Float], _ channels: Int, width: Int, _ lines: [Int], _ places: [Int],
    _ rowShares: [Float], _ columnShares: [Float]
  ) {
    tile.withUnsafeBufferPointer { tile in
      sums.withUnsafeMutableBufferPointer { sums in
        var source = 0
        for (y, rowShare) in zip(lines, rowShares) {
          for (x, columnShare) in zip(places, columnShares) {
            let (share, target) = (rowShare * columnShare, (y * width + x) * channels)
            for channel in 0..<channels { sums[target + channel] += share * tile[source + channel] }
            source += channels
          }
        }
      }
    }
  }
}
