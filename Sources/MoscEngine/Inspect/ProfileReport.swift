import Foundation
import MoscIR

/// A table of where the time of a program went: kernels with their work and how near it is to what
/// the machine can do.
package struct ProfileReport {
  /// What one kernel did in all runs.
  package typealias Row = Program.KernelTime

  package let rows: [Row]
  package let runs: Int
  /// Seconds of all runs from call to return.
  package let elapsed: Double
  package let peak: MachinePeak

  package init(_ program: Program, _ peak: MachinePeak) {
    self.init(
      program.profile, runs: program.profiled.runs, elapsed: program.profiled.seconds, peak)
  }

  package init(_ rows: [Row], runs: Int, elapsed: Double, _ peak: MachinePeak) {
    self.rows = rows
    self.runs = max(runs, 1)
    self.elapsed = elapsed
    self.peak = peak
  }

  private var seconds: Double { rows.reduce(0) { $0 + $1.seconds } }

  /// The share of the elapsed time that kernels account for.
  package var attributed: Double { seconds / max(elapsed, 1e-12) }

  /// The slowest kernels, a line each, then the sum of the others, of those of each kind, and of all.
  package func text(limit: Int = 40) -> String {
    var lines = [
      " time %       ms  launches  GFLOP/s    GB/s  roof %  kernel, per run of \(runs)"
    ]
    lines += rows.prefix(limit).map { line($0) }
    let rest = rows.dropFirst(limit)
    if !rest.isEmpty { lines.append(line(sum(Array(rest), "\(rest.count) other kernels"))) }
    lines += kinds.map { line($0) }
    lines.append(line(sum(rows, "all kernels")))
    lines.append(
      String(
        format: "kernels explain %.2f %% of %.4f s per run", 100 * attributed,
        elapsed / Double(runs)))
    lines.append(
      String(
        format: "roof: %.0f GFLOP/s and %.1f GB/s, measured; a cheaper algorithm than the direct one "
            + "can be above it",
        peak.flopsPerSecond / 1e9, peak.bytesPerSecond / 1e9))
    return lines.joined(separator: "\n")
  }

  /// The sums of kernels that are built around the same op, the slowest first.
  private var kinds: [Row] {
    let kinds = Dictionary(grouping: rows) { $0.kernel.drop { $0 != "." }.dropFirst() }
    if kinds.count < 2 { return [] }
    return kinds.map { sum($1, "all \($0) kernels") }.sorted { $0.seconds > $1.seconds }
  }

  private func sum(_ rows: [Row], _ name: String) -> Row {
    var total = Row(kernel: name, work: Work(), seconds: 0, launches: 0)
    for row in rows {
      // The work of a row is that of one launch; a sum counts its launches as one.
      total.work.flops += row.work.flops * row.launches
      total.work.bytes += row.work.bytes * row.launches
      total.seconds += row.seconds
      total.launches += row.launches
    }
    return total
  }

  private func line(_ row: Row) -> String {
    let isSum = row.kernel.hasSuffix("kernels")
    let scale = isSum ? 1 : Double(row.launches)
    let time = max(row.seconds, 1e-12)
    let roof = peak.seconds(row.work) * scale
    return String(
      format: "%7.2f  %9.3f  %7d  %7.1f  %6.1f  %6.1f  ", 100 * row.seconds / max(seconds, 1e-12),
      1e3 * row.seconds / Double(runs), row.launches / runs,
      Double(row.work.flops) * scale / time / 1e9, Double(row.work.bytes) * scale / time / 1e9,
      100 * roof / time) + row.kernel
  }
}
