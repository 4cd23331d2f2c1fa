extension SeededNumbers {
  /// A number from 0 up to a bound, which it is not.
  package mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

  /// Changes, removes, repeats or cuts a few bytes of a file.
  package mutating func damage(_ bytes: inout [UInt8]) {
    for _ in 0...below(3) where !bytes.isEmpty {
      let at = below(bytes.count)
      switch below(6) {
      case 0: bytes.remove(at: at)
      case 1: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 1 + below(16))], at: at)
      case 2: bytes[at] = [0, 0xff, 0x7f, 0x80][below(4)]
      case 3 where below(8) == 0: bytes.removeSubrange(at...)
      default: bytes[at] ^= 1 << below(8)
      }
    }
  }
}
