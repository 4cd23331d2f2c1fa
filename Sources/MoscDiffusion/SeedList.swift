/// A list of seeds such as `1,2,5-8`; a negative seed stands for a random one.
package enum SeedList {
  /// The seeds of a text, or nil when it is not such a list.
  package static func parse(_ text: String, random: () -> UInt64) -> [UInt64]? {
    var result: [UInt64] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let item = part.drop { $0 == " " }
      if item.hasPrefix("-"), Int(item) != nil {
        result.append(random())
      } else if let seed = UInt64(item) {
        result.append(seed)
      } else {
        let ends = item.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let low = UInt64(ends[0]), let high = UInt64(ends[1]), low <= high,
          high - low < 10_000
        else { return nil }
        result.append(contentsOf: low...high)
      }
    }
    return result.isEmpty ? nil : result
  }
}
