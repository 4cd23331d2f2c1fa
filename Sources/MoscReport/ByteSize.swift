/// An amount of memory or of room on a disk.
package struct ByteSize: Hashable, Sendable {
  package var bytes: Int

  /// Reads `6G`, `800M`, `64K` or a number of bytes, units being powers of 1024; nil for anything else.
  package init?(spelling: String) {
    let units: [Character: Double] = ["K": 0x1p10, "M": 0x1p20, "G": 0x1p30, "T": 0x1p40]
    let unit = spelling.uppercased().last.flatMap { units[$0] }
    let number = unit == nil ? spelling : String(spelling.dropLast())
    guard let value = Double(number), value > 0,
      let bytes = Int(exactly: (value * (unit ?? 1)).rounded(.down))
    else { return nil }
    self.bytes = bytes
  }

  /// A number of bytes as people read it: `3.4 GiB`, `12 MiB`.
  package static func text(_ bytes: Int) -> String {
    if bytes < 1 << 30 { return "\((bytes + (1 << 20) - 1) >> 20) MiB" }
    return "\((Double(bytes) / 0x1p30 * 10).rounded() / 10) GiB"
  }
}
