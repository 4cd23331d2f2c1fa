import MoscRandom

/// Which pictures each step of a run sees: batches of one size, each picture once per epoch.
package struct BatchPlan: Sendable {
  /// Pictures of one size.
  package struct Group: Hashable, Sendable {
    /// In pixels.
    package var height: Int
    package var width: Int
    /// The indices of the pictures.
    package var pictures: [Int]
    /// Pictures in a batch.
    package var batch: Int
  }

  /// The pictures of a step.
  package struct Batch: Hashable, Sendable {
    package var group: Int
    package var pictures: [Int]
  }

  package let groups: [Group]
  private let random: RunSeed
  /// The batches of each group so far.
  private var drawn: [Int]
  private var orders: [[Int]: [Int]] = [:]
  private var step = 0

  /// Groups pictures by size.
  ///
  /// - Parameters:
  ///   - sizes: height and width of every picture.
  ///   - pictures: the indices of those to draw from.
  ///   - batch: the pictures in a batch of the smallest size; larger ones get fewer, so that every
  ///     batch has about the same number of pixels.
  package init(
    sizes: [(height: Int, width: Int)], pictures: [Int], batch: Int, random: RunSeed
  ) {
    let members = Dictionary(grouping: pictures) { [sizes[$0].height, sizes[$0].width] }
    let smallest = members.keys.map { $0[0] * $0[1] }.min() ?? 1
    groups = members.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { size, pictures in
      Group(
        height: size[0], width: size[1], pictures: pictures,
        batch: max(1, batch * smallest / (size[0] * size[1])))
    }
    self.random = random
    drawn = [Int](repeating: 0, count: groups.count)
  }

  /// Leaves out the steps before one.
  package mutating func skip(to first: Int) {
    while step < first {
      drawn[group(of: step)] += 1
      step += 1
    }
  }

  /// The batch of the next step.
  package mutating func next() -> Batch {
    let index = group(of: step)
    let group = groups[index]
    let first = drawn[index] * group.batch
    drawn[index] += 1
    step += 1
    return Batch(
      group: index,
      pictures: (first..<first + group.batch).map { place in
        let (epoch, offset) = place.quotientAndRemainder(dividingBy: group.pictures.count)
        return group.pictures[order(index, epoch)[offset]]
      })
  }

  /// Batches of other pictures, in order.
  ///
  /// Pictures after the last whole batch of a group are left out; where there is none, the pictures
  /// are repeated.
  ///
  /// - Parameter size: height and width of a picture.
  package func batches(
    of pictures: [Int], size: (Int) -> (height: Int, width: Int)
  ) -> [Batch] {
    groups.enumerated().flatMap { index, group -> [Batch] in
      let members = pictures.filter { size($0) == (group.height, group.width) }
      if members.isEmpty { return [] }
      return (0..<max(1, members.count / group.batch)).map { number in
        let places = number * group.batch..<(number + 1) * group.batch
        return Batch(group: index, pictures: places.map { members[$0 % members.count] })
      }
    }
  }

  /// Groups are drawn as often as their pictures fill batches.
  private func group(of step: Int) -> Int {
    let shares = groups.map { Double($0.pictures.count) / Double($0.batch) }
    var rest = random.uniform(.group, step) * shares.reduce(0, +)
    for (index, share) in shares.enumerated() {
      rest -= share
      if rest < 0 { return index }
    }
    return shares.count - 1
  }

  private mutating func order(_ group: Int, _ epoch: Int) -> [Int] {
    if let known = orders[[group, epoch]] { return known }
    orders = orders.filter { $0.key[0] != group || $0.key[1] == epoch - 1 }
    let order = random.permutation(
      .order, epoch, count: groups[group].pictures.count, salt: UInt32(group) << 8)
    orders[[group, epoch]] = order
    return order
  }
}
