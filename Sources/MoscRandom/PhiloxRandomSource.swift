import Foundation

/// The numbers of `torch.randn` on an NVIDIA device for tensors filled by one grid pass, as the
/// web UI's "NV" source makes them.
///
/// Philox-4x32-10 with the element number as counter and one offset per draw; Box–Muller on the
/// first two words.
/// Source: Salmon et al. 2011; cuRAND's `curand_normal`.
package struct PhiloxRandomSource: RandomSource {
  private let key: (UInt32, UInt32)
  private var offset: UInt32 = 0

  package init(seed: UInt64) {
    key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
  }

  /// Ten rounds of the cipher on a counter.
  package static func rounds(
    _ counter: (UInt32, UInt32, UInt32, UInt32), _ key: (UInt32, UInt32)
  ) -> (UInt32, UInt32, UInt32, UInt32) {
    var (c, k) = (counter, key)
    for round in 0..<10 {
      if round > 0 { k = (k.0 &+ 0x9e37_79b9, k.1 &+ 0xbb67_ae85) }
      let a = UInt64(c.0) * 0xd251_1f53
      let b = UInt64(c.2) * 0xcd9e_8d57
      c = (
        UInt32(b >> 32) ^ c.1 ^ k.0, UInt32(truncatingIfNeeded: b),
        UInt32(a >> 32) ^ c.3 ^ k.1, UInt32(truncatingIfNeeded: a)
      )
    }
    return c
  }

  package mutating func normals(_ count: Int) -> [Float] {
    defer { offset += 1 }
    return (0..<count).map { i in
      let words = Self.rounds((offset, 0, UInt32(truncatingIfNeeded: i), 0), key)
      let u = Float(words.0) * 0x1p-32 + 0x1p-33
      let scale = Float(2 * Double.pi)
      let v = Float(words.1) * (0x1p-32 * scale) + 0x1p-33 * scale
      return (-2 * log(u)).squareRoot() * sin(v)
    }
  }
}
