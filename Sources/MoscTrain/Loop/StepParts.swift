import MoscCluster
import MoscFormats
import MoscReport
import MoscRuntime

/// The batches of a step whose gradients are added up, spread over the processes of a cluster.
///
/// Process r computes parts r, r+R, …; every process then has all of them and adds them up in their order, which
/// is the order of a single process: the sums have the same bits for any number of processes. A part is never
/// cut, because the attention regulariser divides by the maximum over its batch.
struct StepParts {
  /// What a step's parts give together, beside the gradients' sums in the groups.
  struct Sum {
    var loss = 0.0
    var measure = 0.0
    /// The program that ran last here, for the search of what is not finite.
    var program: TrainingProgram?
  }

  private let cluster: Cluster?
  private let count: Int
  /// Bytes of all parts above which no process gets all of them.
  private let largest: Int

  static let usualLargest = 64 << 20

  init(
    _ count: Int, _ cluster: Cluster?, _ groups: [ParameterGroup], _ reporter: Reporter,
    slicedAbove largest: Int = Self.usualLargest
  ) {
    (self.count, self.cluster, self.largest) = (count, cluster, largest)
    guard let cluster, cluster.isFirst, cluster.size > 1 else { return }
    reporter.info("every process receives \(received(groups, cluster)) bytes of gradients a step")
    if cluster.size > count {
      reporter.warn(
        "a step has \(count) part\(count == 1 ? "" : "s") for \(cluster.size) processes, so "
          + "\(cluster.size - count) of them idle; --gradient-accumulation \(cluster.size) gives each one")
    }
  }

  /// Computes the parts of a step, and leaves the sums of their gradients in the groups.
  ///
  /// - Parameter batch: the program and the inputs of a part.
  /// - Throws: `CommandError.interrupted` in every process when one was asked to end.
  func run(
    _ step: Int, _ groups: [ParameterGroup], measure: String,
    batch: (_ number: Int) throws -> (program: TrainingProgram, inputs: [String: HostArray])
  ) throws -> Sum {
    for group in groups { group.clearSum() }
    var sum = Sum()
    var own: [[UInt8]] = []
    for part in 0..<count {
      if let cluster, cluster.owner(part) != cluster.rank { continue }
      let (program, inputs) = try batch(step * count + part)
      let results = try program.gradients(inputs)
      sum.program = program
      let found = GradientPart(loss: results["loss"]?.mean ?? .nan, measure: results[measure]?.mean ?? .nan)
      if cluster == nil {
        add(found, to: &sum)
        for group in groups { group.accumulate() }
      } else {
        own.append(found.bytes(groups))
      }
    }
    if let cluster { try exchange(own, step, groups, cluster, &sum) }
    return sum
  }

  /// Whether no process gets all parts.
  private func isSliced(_ groups: [ParameterGroup], _ cluster: Cluster) -> Bool {
    count > 1 && cluster.size > 1 && count * GradientPart.byteCount(groups) > largest
  }

  /// Bytes that the first process receives a step.
  private func received(_ groups: [ParameterGroup], _ cluster: Cluster) -> Int {
    let (part, size) = (GradientPart.byteCount(groups), cluster.size)
    let others = (0..<count).count { cluster.owner($0) != cluster.rank }
    return isSliced(groups, cluster) ? others * (part / size) + part * (size - 1) / size : others * part
  }

  private func exchange(
    _ own: [[UInt8]], _ step: Int, _ groups: [ParameterGroup], _ cluster: Cluster, _ sum: inout Sum
  ) throws {
    let parts = isSliced(groups, cluster)
      ? try GradientSlices(cluster, groups, step, count).sum(own)
      : try whole(own, step, groups, cluster)
    for part in parts { add(part, to: &sum) }
    // The step is as good as not taken: nothing has changed yet.
    if parts.contains(where: \.isInterrupted) {
      cluster.isEnding = true
      throw CommandError.interrupted
    }
  }

  /// Every process gets all parts, and adds them up.
  private func whole(
    _ own: [[UInt8]], _ step: Int, _ groups: [ParameterGroup], _ cluster: Cluster
  ) throws -> [GradientPart] {
    let labels = (0..<count).map {
      Cluster.Part(MessageLabel(.gradient, step, part: $0), owner: cluster.owner($0))
    }
    return try cluster.exchange(labels, own).enumerated().map { index, content in
      guard content.count == GradientPart.byteCount(groups), let part = GradientPart(content) else {
        throw CommandError.failure(
          "part \(index) of step \(step + 1) has \(content.count) bytes, expected \(GradientPart.byteCount(groups))")
      }
      part.put(content, into: groups)
      for group in groups { group.accumulate() }
      return part
    }
  }

  private func add(_ part: GradientPart, to sum: inout Sum) {
    sum.loss += part.loss / Double(count)
    sum.measure += part.measure / Double(count)
  }
}
