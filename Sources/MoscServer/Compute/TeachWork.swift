import Foundation
import MoscFormats
import MoscNetworks
import MoscReport
import MoscTrain

/// Teaches the concept of a job.
struct TeachWork {
  private let job: Job
  private let services: Services

  init(_ job: Job, _ services: Services) { (self.job, self.services) = (job, services) }

  func run(_ order: TeachOrder) throws {
    // Training needs the memory.
    services.keeper.clear()
    let reporter = JobReporter.make(job, services.queue)
    job.update { $0.findings = [("concept", .string(order.name))] }
    try TrainJob(order.request, reporter).run()
    job.update { $0.done = $0.total }
  }
}
