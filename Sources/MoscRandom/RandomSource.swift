/// A stream of random numbers that repeats an upstream generator.
package protocol RandomSource {
  /// Starts the stream of a seed.
  init(seed: UInt64)
  /// The next `count` standard-normal float32 numbers as one tensor draw.
  mutating func normals(_ count: Int) -> [Float]
}
