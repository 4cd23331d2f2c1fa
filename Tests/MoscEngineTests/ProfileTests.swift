import MoscEngine
import MoscIR
import TestSupport
import Testing

/// Where the time went: tables of `--profile`.
@Suite struct ProfileTests {
  private let peak = MachinePeak(flopsPerSecond: 100e9, bytesPerSecond: 10e9)

  @Test func numbersOfATable() {
    // Two runs of one launch each: 1 GFLOP in 20 ms is half of 100 GFLOP/s.
    let rows = [
      Program.KernelTime(
        kernel: "slow", work: Work(flops: 1_000_000_000, bytes: 1_000_000), seconds: 0.04,
        launches: 2),
      Program.KernelTime(
        kernel: "wide", work: Work(flops: 0, bytes: 100_000_000), seconds: 0.02, launches: 2),
    ]
    let report = ProfileReport(rows, runs: 2, elapsed: 0.061, peak)
    #expect(report.attributed > 0.98 && report.attributed < 0.99)
    let lines = report.text().split(separator: "\n").map { line in
      line.split(separator: " ").map(String.init)
    }
    #expect(lines[1] == ["66.67", "20.000", "1", "50.0", "0.1", "50.0", "slow"])
    #expect(lines[2] == ["33.33", "10.000", "1", "0.0", "10.0", "100.0", "wide"])
    #expect(lines[3].suffix(2) == ["all", "kernels"] && lines[3][1] == "30.000")
    #expect(report.text(limit: 1).contains("1 other kernels"))
  }

  @Test func explainsARun() throws {
    let outcome = try MoscProgram.run(
      "bench", "unet", "--latent", "8x8", "--runs", "2", "--profile", "--no-cache")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("GFLOP/s") && outcome.errors.contains("kernels explain "))
    #expect(outcome.errors.contains("winograd_conv2d"))
  }
}
