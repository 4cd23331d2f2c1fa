/// The candidate that differs least from a name, for error messages.
///
/// Distance: insertions, deletions and substitutions of characters (Levenshtein 1966); the first
/// of equally near candidates in sorted order. Nil without candidates.
package func nearestName(to name: String, among candidates: some Sequence<String>) -> String? {
  let wanted = Array(name.utf8)
  var best: (name: String, distance: Int)?
  for candidate in candidates.sorted() {
    let limit = best?.distance ?? Int.max
    if let distance = editDistance(wanted, Array(candidate.utf8), below: limit) {
      best = (candidate, distance)
    }
  }
  return best?.name
}

/// The edit distance when it is below the limit, else nil.
private func editDistance(_ a: [UInt8], _ b: [UInt8], below limit: Int) -> Int? {
  if abs(a.count - b.count) >= limit { return nil }
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    var smallest = row[0]
    for (j, y) in b.enumerated() {
      let substituted = diagonal + (x == y ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
      smallest = min(smallest, row[j + 1])
    }
    if smallest >= limit { return nil }
  }
  return row[b.count] < limit ? row[b.count] : nil
}
