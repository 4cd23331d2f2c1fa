import Foundation

/// The numbers of `torch.Generator().manual_seed(seed)` on a CPU.
///
/// A 32-bit Mersenne twister. Normal draws of fewer than 16 numbers use Box–Muller in f64 with the
/// second number kept for later; longer draws fill the tensor with uniform numbers and transform
/// blocks of 16 in place, the last block anew from 16 fresh numbers when the count is not a
/// multiple of 16. Normals agree with torch's vector code to 2e-6 absolute, everything else
/// exactly.
/// Source: PyTorch, `aten/src/ATen/core/MT19937RNGEngine.h`, `native/cpu/DistributionTemplates.h`.
package struct TorchRandomSource: RandomSource {
  private var engine: MersenneTwister
  private var keptNormal: Double?
  /// 2π to the nearest float32; `Float.pi` is rounded down.
  private static let twoPi = Float(2 * Double.pi)

  package init(seed: UInt64) { engine = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed)) }

  private mutating func random64() -> UInt64 {
    let high = UInt64(engine.next())
    return high << 32 | UInt64(engine.next())
  }

  private mutating func uniformFloat() -> Float { Float(engine.next() & 0xff_ffff) * 0x1p-24 }

  private mutating func uniformDouble() -> Double {
    Double(random64() & (1 << 53 - 1)) * 0x1p-53
  }

  /// `torch.rand(count)` in float32.
  package mutating func uniforms(_ count: Int) -> [Float] {
    (0..<count).map { _ in uniformFloat() }
  }

  /// `torch.rand(count, dtype=torch.float64)`.
  package mutating func doubleUniforms(_ count: Int) -> [Double] {
    (0..<count).map { _ in uniformDouble() }
  }

  /// `torch.randint(low, high, (count,))`.
  package mutating func integers(_ count: Int, from low: Int, to high: Int) -> [Int] {
    let range = UInt64(bitPattern: Int64(high) &- Int64(low))
    // Wide ranges take 64 bits a draw, so that the remainder is nearly unbiased.
    let isWide = range >= 1 << 28
    return (0..<count).map { _ in
      let draw = isWide ? random64() : UInt64(engine.next())
      return low + Int(draw % range)
    }
  }

  /// `torch.randperm(count)`.
  package mutating func permutation(_ count: Int) -> [Int] {
    var result = Array(0..<count)
    for i in 0..<max(0, count - 1) {
      let offset = Int(engine.next() % UInt32(count - i))
      result.swapAt(i, i + offset)
    }
    return result
  }

  private mutating func scalarNormal() -> Double {
    if let kept = keptNormal {
      keptNormal = nil
      return kept
    }
    let u1 = uniformDouble()
    let u2 = uniformDouble()
    let radius = (-2 * log1p(-u2)).squareRoot()
    let angle = 2 * Double.pi * u1
    keptNormal = radius * sin(angle)
    return radius * cos(angle)
  }

  package mutating func normals(_ count: Int) -> [Float] {
    if count < 16 { return (0..<count).map { _ in Float(scalarNormal()) } }
    var data = (0..<count).map { _ in uniformFloat() }
    func transform(_ start: Int) {
      for j in start..<start + 8 {
        let radius = (-2 * log(1 - data[j])).squareRoot()
        let angle = Self.twoPi * data[j + 8]
        (data[j], data[j + 8]) = (radius * cos(angle), radius * sin(angle))
      }
    }
    for start in stride(from: 0, through: count - 16, by: 16) { transform(start) }
    if count % 16 != 0 {
      for j in count - 16..<count { data[j] = uniformFloat() }
      transform(count - 16)
    }
    return data
  }

  /// `torch.randn(count, dtype=torch.float64)`.
  package mutating func doubleNormals(_ count: Int) -> [Double] {
    if count < 16 { return (0..<count).map { _ in scalarNormal() } }
    var data = (0..<count).map { _ in uniformDouble() }
    func transform(_ start: Int) {
      for j in start..<start + 8 {
        let radius = (-2 * log(1 - data[j])).squareRoot()
        let angle = 2 * Double.pi * data[j + 8]
        (data[j], data[j + 8]) = (radius * cos(angle), radius * sin(angle))
      }
    }
    for start in stride(from: 0, through: count - 16, by: 16) { transform(start) }
    if count % 16 != 0 {
      for j in count - 16..<count { data[j] = uniformDouble() }
      transform(count - 16)
    }
    return data
  }
}

/// MT19937. Source: Matsumoto & Nishimura 1998.
package struct MersenneTwister {
  private var state: [UInt32]
  private var index = 624

  package init(seed: UInt32) {
    state = [seed]
    for i in 1..<624 {
      let previous = state[i - 1]
      state.append(1_812_433_253 &* (previous ^ (previous >> 30)) &+ UInt32(i))
    }
  }

  /// The state that an array of 32-bit keys gives, as NumPy and Python use it (`init_by_array`).
  package init(key: [UInt32]) {
    self.init(seed: 19_650_218)
    let key = key.isEmpty ? [0] : key
    var (i, j) = (1, 0)
    func mixed(_ factor: UInt32) -> UInt32 {
      state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) &* factor)
    }
    func advance() {
      i += 1
      guard i == 624 else { return }
      state[0] = state[623]
      i = 1
    }
    for _ in 0..<max(624, key.count) {
      state[i] = mixed(1_664_525) &+ key[j] &+ UInt32(j)
      advance()
      j = (j + 1) % key.count
    }
    for _ in 0..<623 {
      state[i] = mixed(1_566_083_941) &- UInt32(i)
      advance()
    }
    state[0] = 0x8000_0000
  }

  private mutating func refill() {
    for i in 0..<624 {
      let y = (state[i] & 0x8000_0000) | (state[(i + 1) % 624] & 0x7fff_ffff)
      state[i] = state[(i + 397) % 624] ^ (y >> 1) ^ (y & 1 == 0 ? 0 : 0x9908_b0df)
    }
    index = 0
  }

  /// The next 32 random bits.
  package mutating func next() -> UInt32 {
    if index == 624 { refill() }
    var y = state[index]
    index += 1
    y ^= y >> 11
    y ^= (y << 7) & 0x9d2c_5680
    y ^= (y << 15) & 0xefc6_0000
    return y ^ (y >> 18)
  }
}
