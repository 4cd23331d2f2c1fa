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

  init(_ count: Int, _ cluster: Cluster?, _ reporter: Reporter) {
    (self.count, self.cluster) = (count, cluster)
    if let cluster, cluster.isFirst, cluster.size > count {
      reporter.warn(
        "a step has \(count) part\(count == 1 ? "" : "s") for \(cluster.size) processes, so "
          + "\(cluster.size - count) of them idle; --gradient-accumulation \(cluster.size) gives each one")
    }
  }

  /// Computes the parts of a step.
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
      let found = Part(loss: results["loss"]?.mean ?? .nan, measure: results[measure]?.mean ?? .nan)
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

  private func exchange(
    _ own: [[UInt8]], _ step: Int, _ groups: [ParameterGroup], _ cluster: Cluster, _ sum: inout Sum
  ) throws {
    let parts = (0..<count).map {
      Cluster.Part(MessageLabel(.gradient, step, part: $0), owner: cluster.owner($0))
    }
    var isInterrupted = false
    for (index, content) in try cluster.exchange(parts, own).enumerated() {
      guard let part = Part(content, into: groups) else {
        throw CommandError.failure(
          "part \(index) of step \(step + 1) has \(content.count) bytes, expected \(Part.byteCount(groups))")
      }
      add(part, to: &sum)
      isInterrupted = isInterrupted || part.isInterrupted
      for group in groups { group.accumulate() }
    }
    // The step is as good as not taken: nothing has changed yet.
    if isInterrupted { throw CommandError.interrupted }
  }

  private func add(_ part: Part, to sum: inout Sum) {
    sum.loss += part.loss / Double(count)
    sum.measure += part.measure / Double(count)
  }
}

/// What one part of a step gives: loss, measure, whether its process was asked to end, and all gradients.
private struct Part {
  var loss: Double
  var measure: Double
  var isInterrupted = false

  init(loss: Double, measure: Double) { (self.loss, self.measure) = (loss, measure) }

  /// Bytes of a message.
  static func byteCount(_ groups: [ParameterGroup]) -> Int {
    24 + groups.reduce(0) { $0 + ($1.buffer(.gradients)?.byteCount ?? 0) }
  }

  func bytes(_ groups: [ParameterGroup]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.byteCount(groups))
    for number in [loss.bitPattern, measure.bitPattern, Interruption.isRequested ? 1 : 0] {
      withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }
    for group in groups {
      if let floats = group.buffer(.gradients)?.floats { bytes += UnsafeRawBufferPointer(floats) }
    }
    return bytes
  }

  /// Reads a message, and puts its gradients where a step would have left them.
  init?(_ content: [UInt8], into groups: [ParameterGroup]) {
    guard content.count == Self.byteCount(groups) else { return nil }
    func number(_ index: Int) -> UInt64 {
      content.withUnsafeBytes {
        UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
      }
    }
    loss = Double(bitPattern: number(0))
    measure = Double(bitPattern: number(1))
    isInterrupted = number(2) != 0
    var offset = 24
    for group in groups {
      guard let floats = group.buffer(.gradients)?.floats else { continue }
      let target = UnsafeMutableRawBufferPointer(floats)
      content.withUnsafeBytes {
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + target.count]))
      }
      offset += target.count
    }
  }
}
