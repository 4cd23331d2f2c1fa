import MoscCluster
import MoscReport
import MoscRuntime

/// Sums of gradients that are too large to send whole: each process adds up a slice of all parts, in the order of
/// the parts, and gives it to the others.
///
/// A process receives `P (1 − 1/R) (A/R + 1)` bytes in place of `A P (1 − 1/R)` for A parts of P bytes in R
/// processes. The sums have the same bits, since every number is added up in the same order.
package struct GradientSlices {
  private let cluster: Cluster
  private let sums: [UnsafeMutableBufferPointer<Float>]
  private let step, count: Int
  /// Numbers of all groups.
  private let total: Int

  package init(_ cluster: Cluster, _ groups: [ParameterGroup], _ step: Int, _ count: Int) {
    (self.cluster, self.step, self.count) = (cluster, step, count)
    sums = groups.compactMap { $0.buffer(.sum)?.floats }
    total = sums.reduce(0) { $0 + $1.count }
  }

  /// Adds up all parts into the sums of the groups, which are zero.
  ///
  /// - Parameter own: this process's parts, whole.
  package func sum(_ own: [[UInt8]]) throws -> [GradientPart] {
    let (rank, size) = (cluster.rank, cluster.size)
    var contents: [Int: [UInt8]] = [:]
    let mine = (0..<count).filter { cluster.owner($0) == rank }
    for (index, part) in mine.enumerated() { contents[part] = cut(own[index], slice(rank)) }
    for distance in 1..<size {
      let (to, from) = ((rank + distance) % size, (rank + size - distance) % size)
      let theirs = (0..<count).filter { cluster.owner($0) == from }
      try cluster.shift(
        mine.map(label), to: to, content: { cut(own[$0], slice(to)) }, theirs.map(label), from: from
      ) { contents[theirs[$0]] = $1 }
    }
    let length = GradientPart.headerBytes + 4 * slice(rank).count
    let parts = try (0..<count).map { part -> GradientPart in
      guard let content = contents[part], content.count == length, let read = GradientPart(content) else {
        throw CommandError.failure(
          "a slice of part \(part) of step \(step + 1) has \(contents[part]?.count ?? 0) bytes, expected \(length)")
      }
      apply(content[GradientPart.headerBytes...], slice(rank)) { $0 += $1 }
      return read
    }
    let slices = (0..<size).map { Cluster.Part(MessageLabel(.slice, step, part: $0), owner: $0) }
    for (owner, content) in try cluster.exchange(slices, [folded(slice(rank))]).enumerated() where owner != rank {
      guard content.count == 4 * slice(owner).count else {
        throw CommandError.failure(
          "the sum of rank \(owner) in step \(step + 1) has \(content.count) bytes, expected \(4 * slice(owner).count)")
      }
      apply(content[...], slice(owner)) { $0 = $1 }
    }
    return parts
  }

  private func label(_ part: Int) -> MessageLabel { MessageLabel(.gradient, step, part: part) }

  /// The numbers that a process adds up.
  private func slice(_ rank: Int) -> Range<Int> {
    rank * total / cluster.size..<(rank + 1) * total / cluster.size
  }

  /// The beginning of a part's message with a slice of its gradients.
  private func cut(_ part: [UInt8], _ slice: Range<Int>) -> [UInt8] {
    let header = GradientPart.headerBytes
    return Array(part[..<header]) + part[header + 4 * slice.lowerBound..<header + 4 * slice.upperBound]
  }

  /// The sums of a slice.
  private func folded(_ slice: Range<Int>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(4 * slice.count)
    each(slice) { floats, _ in bytes += UnsafeRawBufferPointer(floats) }
    return bytes
  }

  /// Changes the sums of a slice by numbers that came as bytes.
  private func apply(
    _ bytes: ArraySlice<UInt8>, _ slice: Range<Int>, _ change: (inout Float, Float) -> Void
  ) {
    bytes.withUnsafeBytes { raw in
      each(slice) { floats, offset in
        for index in floats.indices {
          change(&floats[index], raw.loadUnaligned(fromByteOffset: 4 * (offset + index), as: Float.self))
        }
      }
    }
  }

  /// Calls for the stretch of each group that is in a slice, with its place in the slice.
  private func each(_ slice: Range<Int>, _ body: (UnsafeMutableBufferPointer<Float>, Int) -> Void) {
    var first = 0
    for floats in sums {
      let part = slice.clamped(to: first..<first + floats.count)
      if !part.isEmpty {
        let own = UnsafeMutableBufferPointer(rebasing: floats[part.lowerBound - first..<part.upperBound - first])
        body(own, part.lowerBound - slice.lowerBound)
      }
      first += floats.count
    }
  }
}
