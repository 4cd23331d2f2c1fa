import MoscFormats

/// A rectangle in fractions of the picture; x to the right, y down.
package struct RegionBox: Hashable, Sendable {
  package var left: Double
  package var top: Double
  package var right: Double
  package var bottom: Double

  package init(left: Double, top: Double, right: Double, bottom: Double) {
    self.left = left
    self.top = top
    self.right = right
    self.bottom = bottom
  }

  /// The whole picture.
  package static let full = RegionBox(left: 0, top: 0, right: 1, bottom: 1)

  /// A box of four numbers left, top, right, bottom: pixels if any exceeds 1, else fractions.
  ///
  /// - Throws: `PromptError` for a box that is empty or reaches outside of the picture.
  package init(
    _ numbers: [Double], width: Int, height: Int, isPixels: Bool = false
  ) throws(PromptError) {
    guard numbers.count == 4, numbers.allSatisfy(\.isFinite) else {
      throw PromptError("a box has 4 numbers, found \(numbers)")
    }
    let pixels = isPixels || numbers.contains { $0 > 1 }
    let (w, h) = pixels ? (Double(width), Double(height)) : (1, 1)
    let text = "the box \(numbers.map { GenerationParameters.number($0) }.joined(separator: ","))"
    guard numbers.allSatisfy({ $0 >= 0 }), numbers[2] <= w, numbers[3] <= h else {
      throw PromptError(
        "\(text) reaches outside of the picture of \(width)x\(height) pixels")
    }
    guard numbers[0] < numbers[2], numbers[1] < numbers[3] else {
      throw PromptError("\(text) is empty: expected left < right and top < bottom")
    }
    self.init(
      left: numbers[0] / w, top: numbers[1] / h, right: numbers[2] / w, bottom: numbers[3] / h)
  }
}

/// How much a region covers each pixel of the picture, 0 to 1.
package struct RegionMask: Hashable, Sendable {
  package var width: Int
  package var height: Int
  package var values: [Float]

  package init(width: Int, height: Int, values: [Float]) {
    self.width = width
    self.height = height
    self.values = values
  }
}

/// A part of the picture with a prompt of its own.
package struct Region: Hashable, Sendable {
  /// What messages call it.
  package var name: String
  package var prompt: String
  /// nil for the negative prompt of the picture.
  package var negative: String?
  package var box: RegionBox?
  package var mask: RegionMask?
  /// 1 takes the place of the picture's prompt, less leaves some of it; of overlapping regions the
  /// heavier has more say.
  package var weight = 1.0
  /// How much of its share the picture's own prompt keeps.
  package var base = 0.0
  /// Whether the region is wherever no other is.
  package var isBackground = false
  /// The strength of guidance inside; nil for that of the picture.
  package var guidance: Double?
  /// The seed of the initial noise inside; nil for that of the picture.
  package var seed: UInt64?
  /// The width in pixels over which the edge of the box fades.
  package var feather = 0.0
  /// The part of the denoising in which the region acts.
  package var steps = 0.0...1.0
  /// Strengths of the spatial adapters inside the region, in their order; empty for the global ones.
  package var adapterStrengths: [Double] = []

  /// How much of the denoising is done inside the region of a picture to begin with; nil for as much as elsewhere.
  package var strength: Double?

  package init(name: String, prompt: String) {
    self.name = name
    self.prompt = prompt
  }

  /// Whether the region acts at a step.
  package func acts(step: Int, of count: Int) -> Bool {
    let place = Double(step) / Double(max(count, 1))
    return place >= steps.lowerBound && place < steps.upperBound
  }
}
