import MoscFormats
import MoscReport
import MoscRuntime

/// Where named tensors lie in a flat array of f32.
package struct FlatLayout: Hashable, Sendable {
  /// A tensor of the array.
  package struct Slice: Hashable, Sendable {
    package var name: String
    package var shape: [Int]
    /// In elements, a multiple of 16, which is a cache line.
    package var offset: Int

    package var count: Int { shape.reduce(1, *) }
  }

  package private(set) var slices: [Slice] = []
  /// Elements with the gaps between slices; gaps hold zeros and stay zero.
  package private(set) var count = 0

  /// Places tensors one after the other.
  package init(_ tensors: [(name: String, shape: [Int])]) {
    for (name, shape) in tensors {
      let slice = Slice(name: name, shape: shape, offset: count)
      slices.append(slice)
      count += (slice.count + 15) / 16 * 16
    }
  }
}

/// The owner of parameters that are trained alike, with everything the optimiser knows of them, each
/// as one flat array.
///
/// Compiled steps and updates read and write the same memory, so a group is an object: who holds it
/// sees what they wrote.
package final class ParameterGroup {
  /// The arrays of a group.
  package enum Role: String, CaseIterable, Hashable, Sendable {
    case parameters
    case gradients
    /// The sum of the gradients of several steps.
    case sum
    /// The running mean of gradients.
    case mean
    /// The running mean of their squares.
    case square
    /// The running mean of parameters.
    case average
  }

  package let name: String
  package let layout: FlatLayout
  package let learningRate: Double
  package let weightDecay: Double
  private let arrays: [Role: AlignedBuffer]

  /// Allocates the arrays, all zeros.
  package init(
    _ name: String, _ layout: FlatLayout, learningRate: Double, weightDecay: Double,
    accumulates: Bool = false, keepsAverage: Bool = false
  ) throws(RuntimeError) {
    self.name = name
    self.layout = layout
    self.learningRate = learningRate
    self.weightDecay = weightDecay
    var arrays: [Role: AlignedBuffer] = [:]
    let unused: Set<Role> = Set(accumulates ? [] : [Role.sum])
      .union(keepsAverage ? [] : [Role.average])
    for array in Role.allCases where !unused.contains(array) {
      arrays[array] = try AlignedBuffer(byteCount: layout.count * 4)
    }
    self.arrays = arrays
  }

  /// The arrays that a run goes on from.
  package var lasting: [Role] {
    [.parameters, .mean, .square, .average].filter { arrays[$0] != nil }
  }

  /// Whether a running mean of the parameters is kept.
  package var keepsAverage: Bool { arrays[.average] != nil }

  /// The memory of an array; nil for an average that is not kept.
  package func buffer(_ array: Role) -> AlignedBuffer? { arrays[array] }

  /// The memory of a tensor in an array.
  package func buffer(_ array: Role, of slice: FlatLayout.Slice) throws -> AlignedBuffer? {
    guard let whole = arrays[array] else { return nil }
    return try AlignedBuffer(
      partOf: whole, offset: slice.offset * 4, byteCount: slice.count * 4)
  }

  /// The values of the tensors in an array, by name; empty for an average that is not kept.
  package func tensors(_ array: Role) -> [(name: String, values: HostArray)] {
    guard let floats = arrays[array]?.floats else { return [] }
    return layout.slices.map { slice in
      let part = floats[slice.offset..<slice.offset + slice.count]
      return (slice.name, HostArray([Float](part), shape: slice.shape))
    }
  }

  /// Sets every tensor to where training starts, and its running mean where one is kept.
  ///
  /// - Throws: `CommandError.failure` for a tensor that has no values, or another number of them.
  package func start(_ values: (String) -> HostArray?) throws(CommandError) {
    for slice in layout.slices {
      guard let start = values(slice.name)?.floats else {
        throw .failure("\(title(slice)): found nothing, expected \(slice.shape)")
      }
      try set(.parameters, slice, to: start)
      if keepsAverage { try set(.average, slice, to: start) }
    }
  }

  /// Sets a tensor of an array.
  ///
  /// - Throws: `CommandError.failure` for another number of values than the tensor has.
  package func set(
    _ array: Role, _ slice: FlatLayout.Slice, to values: [Float]
  ) throws(CommandError) {
    let floats = try floats(array, values.count)
    guard values.count == slice.count else {
      throw .failure("\(title(slice)): found \(values.count) numbers, expected \(slice.count)")
    }
    for (index, value) in values.enumerated() { floats[slice.offset + index] = value }
  }

  /// Sets a whole array.
  ///
  /// - Throws: `CommandError.failure` for another number of values than the array has.
  package func replace(_ array: Role, with values: [Float]) throws(CommandError) {
    let floats = try floats(array, values.count)
    guard values.count == floats.count else {
      throw .failure(
        "'\(array.rawValue)' of the group '\(name)': found \(values.count) numbers, expected "
          + "\(floats.count)")
    }
    _ = floats.update(fromContentsOf: values)
  }

  /// The numbers of an array that is to be written.
  private func floats(
    _ array: Role, _ count: Int
  ) throws(CommandError) -> UnsafeMutableBufferPointer<Float> {
    guard let floats = arrays[array]?.floats else {
      throw .failure(
        "the group '\(name)' keeps no '\(array.rawValue)', found \(count) numbers for it")
    }
    return floats
  }

  private func title(_ slice: FlatLayout.Slice) -> String {
    "tensor '\(slice.name)' of the group '\(name)'"
  }

  /// Adds the gradients to their sum, where one is kept.
  package func accumulate() {
    guard let sum = arrays[.sum]?.floats, let step = arrays[.gradients]?.floats else { return }
    for index in sum.indices { sum[index] += step[index] }
  }

  /// Starts another sum.
  package func clearSum() { arrays[.sum]?.floats.update(repeating: 0) }

  /// `Σ g²` of the gradients, summed in f64.
  package var squaredGradientNorm: Double {
    guard let floats = (arrays[.sum] ?? arrays[.gradients])?.floats else { return 0 }
    return floats.reduce(0) { $0 + Double($1) * Double($1) }
  }
}
