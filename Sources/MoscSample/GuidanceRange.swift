/// The part of the denoising in which guidance acts; outside of it the prompt alone is followed, at half
/// the cost.
///
/// Source: Kynkäänniemi et al. 2024 (guidance in a limited interval).
package struct GuidanceRange: Hashable, Codable, Sendable {
  /// Shares of the denoising, or the numbers of steps from 1 with both ends.
  package enum Ends: Hashable, Codable, Sendable {
    case shares(Double, Double)
    case steps(Int, Int)
  }

  package var ends: Ends

  package init(_ ends: Ends) { self.ends = ends }

  /// Reads `0.2-0.8`, shares of the denoising, or `3-12`, steps from 1; nil for what is neither.
  ///
  /// `0-1` is all of it, as shares say.
  package init?(spelling: String) {
    let texts = spelling.split(separator: "-", omittingEmptySubsequences: false)
    let numbers = texts.compactMap { Double($0) }
    guard texts.count == 2, numbers.count == 2, numbers[0] >= 0, numbers[0] <= numbers[1] else { return nil }
    if numbers[1] <= 1 {
      guard numbers[0] < numbers[1] else { return nil }
      ends = .shares(numbers[0], numbers[1])
    } else if let first = Int(exactly: numbers[0]), let last = Int(exactly: numbers[1]), first >= 1 {
      ends = .steps(first, last)
    } else {
      return nil
    }
  }

  package var spelling: String {
    switch ends {
    case .shares(let first, let last): "\(first)-\(last)"
    case .steps(let first, let last): "\(first)-\(last)"
    }
  }

  /// Whether guidance acts at a call of the model.
  ///
  /// - Parameters:
  ///   - call: its number from 0, of `calls`.
  ///   - steps: the steps that were asked for; some samplers call the model twice in each.
  package func acts(call: Int, of calls: Int, steps: Int) -> Bool {
    switch ends {
    case .shares(let first, let last):
      let place = Double(call) / Double(max(calls, 1))
      return place >= first && place < last
    case .steps(let first, let last):
      let step = call * max(steps, 1) / max(calls, 1) + 1
      return first...last ~= step
    }
  }
}
