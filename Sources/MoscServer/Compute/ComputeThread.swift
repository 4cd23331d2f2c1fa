import Foundation
import MoscReport

/// The one thread that computes, so that answering requests never waits for it.
final class ComputeThread: Sendable {
  private let ended = DispatchSemaphore(value: 0)

  /// Starts to take jobs until the queue is closed.
  init(_ services: Services) {
    let ended = ended
    let thread = Thread {
      while let job = services.queue.next() { Self.run(job, services) }
      services.queue.settle()
      ended.signal()
    }
    thread.name = "mosc.compute"
    // Passes go deep into large graphs.
    thread.stackSize = 64 << 20
    thread.start()
  }

  /// Waits until the job that runs is over and the thread is done.
  func wait() { ended.wait() }

  private static func run(_ job: Job, _ services: Services) {
    let queue = services.queue
    do {
      try Interruption.heeding(job.token) {
        try Interruption.check()
        switch job.order {
        case nil: throw CommandError.interrupted
        case .draw(let order): try DrawWork(job, services).run(order)
        case .teach(let order): try TeachWork(job, services).run(order)
        case .fuse(let order): try FuseWork(job, services).run(order)
        }
      }
      queue.end(job, .completed)
    } catch let error as CommandError where error == .interrupted {
      if job.token.isCancelled {
        queue.end(job, .cancelled)
      } else {
        queue.end(job, .failed, error: "the server was stopped")
      }
    } catch {
      services.reporter.warn("job \(job.id): \(error)")
      queue.end(job, .failed, error: PlainPaths.clean("\(error)"))
    }
  }
}
