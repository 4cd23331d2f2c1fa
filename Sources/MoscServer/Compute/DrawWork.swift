import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
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
    if let team = services.team, plan.batches.count > 1 {
      var receiver = PictureTeam.Receiver { try keep($2, $1, writer) }
      receiver.end = { try tell($1.meter) }
      return try team.draw([plan], reporter, keeper: services.keeper, making: { _ in compiler }, receiver)
    }
    let sampler = try Sampler(plan, compiler, keeper: services.keeper)
    if order.previewInterval > 0 {
      let projection = try LatentPreview(.proj, plan.model, compiler)
      sampler.watch = { try preview($0, order, projection) }
    }
    try sampler.draw { picture, image in try keep(image, picture, writer) }
    try tell(sampler.meter)
  }

  /// Tells how well regions keep to themselves, where that was measured.
  private func tell(_ meter: RegionMeter?) throws {
    if let report = try meter?.json() { job.update { $0.findings.append(("region_report", report)) } }
  }

  /// Keeps a picture, and tells of it.
  private func keep(_ image: PixelImage, _ picture: SamplePlan.Picture, _ writer: PictureWriter) throws {
    let id = JobStore.pictureID(job.id, picture.number - 1)
    let file = try OutputFile(services.store.place(id, "png").path)
    _ = try writer.write(image, picture, to: file)
    let drawn = JobPicture(
      id: id, number: picture.number, seed: picture.seed, width: image.width, height: image.height,
      parameters: writer.parameters(picture).text)
    job.update { state in
      // Other processes may be done with later ones first.
      let place = state.pictures.firstIndex { $0.number > drawn.number } ?? state.pictures.endIndex
      state.pictures.insert(drawn, at: place)
      (state.done, state.step, state.preview) = (state.done + 1, 0, nil)
    }
    job.events.send("picture", drawn.json)
    services.queue.tell(job)
  }

  /// Shows what a step predicts, if it is its turn; the picture itself follows the last one.
  private func preview(_ step: Denoising.Step, _ order: DrawOrder, _ projection: LatentPreview) throws {
    guard (step.number + 1) % order.previewInterval == 0, step.number + 1 < step.count else { return }
    let data = step.data(order.plan.schedulerConfig.prediction).samples(0..<1)
    guard let image = try projection.image(of: data) else { return }
    let bytes = try PNG.encode(image)
    let number = job.update { state in
      (state.preview, state.previewNumber) = (bytes, state.previewNumber + 1)
      return state.previewNumber
    }
    job.events.send("preview", .fields([("number", .int(number)), ("step", .int(step.number + 1))]))
  }
}
