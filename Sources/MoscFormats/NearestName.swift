/// Finds the name that a user probably meant.
package enum NearestName {
  /// The candidate with the fewest typing mistakes, if they are few for the name's length: one up to five
  /// letters, a third of the letters for longer names. Case is no mistake.
  package static func suggest(_ name: String, in candidates: [String]) -> String? {
    let wanted = Array(name.lowercased().utf8)
    var best: (name: String, distance: Int)?
    for candidate in candidates {
      let limit = best.map { $0.distance - 1 } ?? max(1, wanted.count / 3)
      if let distance = distance(wanted, Array(candidate.lowercased().utf8), limit: limit) {
        best = (candidate, distance)
      }
    }
    return best?.name
  }

  /// The number of letters that are left out, added, replaced or exchanged with their neighbours, or nil
  /// when it exceeds the limit.
  static func distance(_ a: [UInt8], _ b: [UInt8], limit: Int) -> Int? {
    guard limit >= 0, abs(a.count - b.count) <= limit else { return nil }
    var (before, row) = ([Int](), Array(0...b.count))
    for i in a.indices {
      var next = [i + 1]
      next.reserveCapacity(row.count)
      for j in b.indices {
        var best = min(row[j] + (a[i] == b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, before[j - 1] + 1) }
        next.append(best)
      }
      // An exchange may lead back from the row before this one.
      if min(next.min() ?? 0, row.min() ?? 0) > limit { return nil }
      (before, row) = (row, next)
    }
    return row[b.count] <= limit ? row[b.count] : nil
  }
}
