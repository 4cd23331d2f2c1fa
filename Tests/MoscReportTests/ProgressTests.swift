import Foundation
import MoscReport
import Synchronization
import TestSupport
import Testing

/// Progress is little, and what it promises is likely.
@Suite struct ProgressTests {
  private func lines(_ format: LogFormat = .text, _ body: (Reporter) -> Void) -> [String] {
    let text = Mutex("")
    body(Reporter(format: format, sink: { part in text.withLock { $0 += part } }))
    return text.withLock { $0 }.split(separator: "\n").map(String.init)
  }

  @Test func shortWorkSaysLittle() {
    let said = lines { reporter in
      reporter.begin(.compile, "unet")
      for done in 1...162 { reporter.progress(.compile, "kernels", done: done, of: 162) }
      reporter.end(.compile, "unet")
    }
    #expect(said.isEmpty, "\(said)")
    let steps = lines { reporter in
      reporter.begin(.step, "denoising")
      for done in 1...20 { reporter.progress(.step, "denoising", done: done, of: 20) }
    }
    #expect(steps.count == 2 && steps[0].hasPrefix("step: denoising 1/20") && steps[1].hasPrefix("step: denoising 20/20"))
    #expect(!steps.joined().contains("left") && !steps.joined().contains("\u{1b}"))
  }

  /// The first part, which takes longest, is not what the others are judged by.
  @Test func estimatesLeaveOutTheStart() {
    let said = lines(.json) { reporter in
      reporter.begin(.step, "x")
      usleep(400_000)
      for done in 1...3 {
        reporter.progress(.step, "x", done: done, of: 1000)
        usleep(2_000)
      }
    }
    let estimates = said.dropFirst().map { line in
      ((try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any])?["eta_seconds"] as? Double
    }
    #expect(estimates.count == 3 && estimates[0] == nil)
    // By the average from the beginning it would be hours of hundreds of seconds.
    #expect(estimates.dropFirst().allSatisfy { ($0 ?? .infinity) < 100 }, "\(estimates)")
  }

  /// A terminal that can write a line again, and one that cannot.
  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")), arguments: ["xterm", "dumb", ""])
  func terminals(name: String) throws {
    let scratch = Scratch()
    let command = "\(MoscProgram.url.path) sample -p 'a fox' -s 1 --steps 30 -b 2 -W 32 -H 32 --no-cache -o \(scratch.path("%d.png"))"
    let outcome = try MoscProgram.run("/usr/bin/script", ["-qec", command, "/dev/null"], environment: ["TERM": name])
    #expect(outcome.status == 0, "\(outcome.output)")
    #expect(outcome.output.contains("\u{1b}") == (name == "xterm"))
    #expect(outcome.output.contains("picture 2 of 2"))
  }
}
