/// A picture with its caption as a training step takes them.
package struct TrainingSample: Hashable, Sendable {
  /// Rows, columns and three channels, in −1…1 after the usual `Normalize`.
  package var image: [Float]
  package var height: Int
  package var width: Int
  /// The share of each latent pixel that shows the concept, 0…1; nil without mask.
  package var mask: [Double]?
  /// The share of each latent pixel that the picture covers, as large as `mask`.
  package var imageMask: [Double]
  package var caption: String


  package init(
    image: [Float], height: Int, width: Int, mask: [Double]?, imageMask: [Double], caption: String
  ) {
    self.image = image
    self.height = height
    self.width = width
    self.mask = mask
    self.imageMask = imageMask
    self.caption = caption
  }
}

/// How a mask of the size of the picture becomes one of the size of the latents.
package enum MaskReduction: String, CaseIterable, Hashable, Sendable {
  /// The mean of the four pixels around the centre of each square, which gives soft edges: what
  /// Mix-of-Show does, though it asks for nearest (its interpolation flag lands in another slot).
  case bilinear
  /// The first pixel of each square.
  case nearest
}

/// One channel of numbers in rows.
package struct MaskPlane: Hashable, Sendable {
  package var width: Int
  package var height: Int
  package var values: [Double]

  package init(width: Int, height: Int, values: [Double]) {
    self.width = width
    self.height = height
    self.values = values
  }

  /// The plane a whole factor smaller, as OpenCV's `resize` computes it without antialiasing.
  ///
  /// Bilinear: source coordinate `(i + ½)·s − ½` with `s = size / ⌊size/factor⌋`; nearest: `⌊i·s⌋`.
  package func reduced(_ reduction: MaskReduction, by factor: Int = 8) -> MaskPlane {
    let (rows, columns) = (height / factor, width / factor)
    func taps(_ count: Int, _ size: Int) -> [(first: Int, second: Int, share: Double)] {
      let scale = Double(size) / Double(max(count, 1))
      return (0..<count).map { i in
        if reduction == .nearest {
          let place = min(Int(Double(i) * scale), size - 1)
          return (place, place, 0)
        }
        let place = max(0, (Double(i) + 0.5) * scale - 0.5)
        let first = min(Int(place), size - 1)
        return (first, min(first + 1, size - 1), place - Double(first))
      }
    }
    let across = taps(columns, width)
    var result: [Double] = []
    result.reserveCapacity(rows * columns)
    for y in taps(rows, height) {
      for x in across {
        func row(_ y: Int) -> Double {
          let (a, b) = (values[y * width + x.first], values[y * width + x.second])
          return a * (1 - x.share) + b * x.share
        }
        result.append(row(y.first) * (1 - y.share) + row(y.second) * y.share)
      }
    }
    return MaskPlane(width: columns, height: rows, values: result)
  }
}
