import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscNetworks
import MoscReport
import MoscSample

/// Draws the pictures of a job.
struct DrawWork {
  private let job: Job
  private let services: Services

  init(_ job: Job, _ services: Services) { (self.job, self.services) = (job, services) }

  func run(_ order: DrawOrder) throws {
    let plan = order.plan
    let reporter = JobReporter.make(job, services.queue)
    let compiler = services.compiler.reporting(to: reporter)
    try reporter.reportUnknownWords(try plan.words(), plan.model)
    let writer = try PictureWriter(plan, compiler.target)
    let sampler = try Sampler(plan, compiler, keeper: services.keeper)
    try sampler.draw { picture, image in
      let id = JobStore.pictureID(job.id, picture.number - 1)
      let file = try OutputFile(services.store.place(id, "png").path)
      _ = try writer.write(image, picture, to: file)
      let drawn = JobPicture(
        id: id, seed: picture.seed, width: image.width, height: image.height,
        parameters: writer.parameters(picture).text)
      job.update { state in
        state.pictures.append(drawn)
        (state.done, state.step) = (state.done + 1, 0)
      }
      job.events.send("picture", drawn.json)
      services.queue.tell(job)
    }
  }
}
