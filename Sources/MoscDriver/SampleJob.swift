import Foundation
import MoscFormats
import MoscModel
import MoscRuntime
import MoscSample

/// `mosc sample`: draws pictures for a prompt.
package struct SampleJob {
  package let plan: SamplePlan
  package let reporter: Reporter

  /// - Throws: what is wrong with the request, before any heavy work.
  package init(_ request: SampleRequest, _ reporter: Reporter) throws {
    plan = try SamplePlan(request)
    self.reporter = reporter
  }

  package func run() throws {
    let request = plan.request
    let compiler = try Compiler(request.compiler, precision: request.model.precision, reporter)
    let count = plan.batches.reduce(0) { $0 + $1.count }
    reporter.info(
      "\(count == 1 ? "a picture" : "\(count) pictures") of \(plan.width)x\(plan.height), "
        + "\(request.steps) steps of \(plan.sampler.rawValue), guidance \(GenerationParameters.number(request.guidance)), "
        + "\(compiler.target.precision.rawValue), \(compiler.target.threads) threads")
    let sampler = try Sampler(plan, compiler)
    reporter.report(plan.model.adapters)
    _ = try RegionSchedule(plan)
    var texts = Set(plan.batches.flatMap { $0.map(\.prompt) } + plan.regions.map(\.prompt))
    let negatives =
      [request.negativePrompt] + plan.regions.map { $0.negative ?? request.negativePrompt }
    if plan.usesGuidance { texts.formUnion(negatives) }
    let states = try sampler.encode(texts)
    for (index, batch) in plan.batches.enumerated() {
      try Interruption.check()
      var sources = batch.map { plan.randomSource.source(seed: $0.seed) }
      guard let prompt = batch.first?.prompt else { continue }
      let run = try sampler.denoise(
        conditional: try sampler.context([prompt] + plan.regions.map(\.prompt), states),
        unconditional: plan.usesGuidance ? try sampler.context(negatives, states) : nil,
        sources: &sources)
      if let file = plan.trajectory { try write(run, to: file) }
      if index == plan.batches.count - 1 {
        if request.profiles { try sampler.printProfile() }
        sampler.releaseUNet()
      }
      for (number, picture) in batch.enumerated() {
        try Interruption.check()
        let pixels = try reporter.phase(.decode, picture.file.path) {
          try sampler.decode(run.last.samples(number..<number + 1))
        }
        try PictureWriter(plan, compiler.target).write(pixels, picture)
        reporter.info("\(picture.file.path): seed \(picture.seed)")
      }
    }
    if request.profiles { try sampler.printProfile() }
  }

  private func write(_ run: Sampler.Run, to file: OutputFile) throws {
    let latents = TensorValue(
      [run.latents.count] + run.initial.shape, run.latents.flatMap(\.floats))
    try SafetensorsFile.write(
      [
        ("latents_init", run.initial.fileArray), ("latents", latents.fileArray),
        ("timesteps", HostArray(run.timesteps, shape: [run.timesteps.count])),
      ],
      metadata: ["mosc": Doctor.versionText], to: file.url)
  }
}
