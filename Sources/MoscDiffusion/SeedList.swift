/// A list of seeds such as `1,2,5-8`; a negative seed stands for a random one.
package struct SeedList: Hashable, Sendable, CustomStringConvertible {
  /// One random seed.
  package static let random = SeedList(entries: [nil])

  /// The seeds in order, nil for a random one.
  private var entries: [UInt64?]

  private init(entries: [UInt64?]) { self.entries = entries }

  /// Reads such a list; nil for anything else.
  package init?(spelling: String) {
    entries = []
    for part in spelling.split(separator: ",", omittingEmptySubsequences: false) {
      let item = part.drop { $0 == " " }
      if item.hasPrefix("-"), Int(item) != nil {
        entries.append(nil)
      } else if let seed = UInt64(item) {
        entries.append(seed)
      } else {
        let ends = item.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let low = UInt64(ends[0]), let high = UInt64(ends[1]), low <= high,
          high - low < 10_000
        else { return nil }
        entries += (low...high).map { $0 }
      }
    }
  }

  /// The seeds; random ones are drawn anew.
  ///
  /// Other programs read seeds into 32 bits, so random ones fit there unless a generator says otherwise.
  package func seeds(
    random: () -> UInt64 = { UInt64(UInt32.random(in: 0...UInt32.max)) }
  ) -> [UInt64] {
    entries.map { $0 ?? random() }
  }

  package var description: String {
    entries.map { $0.map(String.init) ?? "-1" }.joined(separator: ",")
  }
}
