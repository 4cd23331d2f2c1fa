/// Finds the name that a user probably meant.
package enum NearestName {
  /// The candidate with the smallest edit distance, if it is at most a third of the name's length.
  package static func suggest(_ name: String, in candidates: [String]) -> String? {
    let wanted = Array(name.utf8)
    var best: (name: String, distance: Int)?
    for candidate in candidates {
      let limit = best.map { $0.distance - 1 } ?? max(2, wanted.count / 3)
      if let distance = distance(wanted, Array(candidate.utf8), limit: limit) {
        best = (candidate, distance)
      }
    }
    return best?.name
  }

  /// The Levenshtein distance, or nil when it exceeds the limit.
  static func distance(_ a: [UInt8], _ b: [UInt8], limit: Int) -> Int? {
    guard limit >= 0, abs(a.count - b.count) <= limit else { return nil }
    var row = Array(0...b.count)
    for (i, left) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      var least = row[0]
      for (j, right) in b.enumerated() {
        let substituted = diagonal + (left == right ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substituted, diagonal + 1, row[j] + 1)
        least = min(least, row[j + 1])
      }
      if least > limit { return nil }
    }
    return row[b.count] <= limit ? row[b.count] : nil
  }
}
