/// The directions in which a picture goes on at its opposite edge, so that copies of it side by side show no
/// seam.
package enum Seamless: String, CaseIterable, Hashable, Codable, Sendable {
  case both, x, y

  /// The axes of `[n,h,w,c]` that are rings.
  package var axes: [Int] {
    switch self {
    case .both: [1, 2]
    case .x: [2]
    case .y: [1]
    }
  }

  /// The directions with these axes; nil for none.
  package init?(axes: [Int]) {
    guard let found = Self.allCases.first(where: { $0.axes == axes }) else { return nil }
    self = found
  }
}
