import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// `mosc sample`: draws pictures for a prompt.
package struct SampleJob {
  package let plan: SamplePlan
  package let reporter: Reporter
  /// Where the pictures go, in order.
  private let files: [OutputFile]

  /// - Throws: what is wrong with the request, before any heavy work.
  package init(_ request: SampleRequest, _ reporter: Reporter) throws {
    plan = try SamplePlan(request)
    self.reporter = reporter
    files = try OutputPattern(request.output).files(plan.count)
    if files.count > 1, files[0].isStandardOutput {
      throw CommandError.usage("--output -: standard output takes one picture, not \(files.count)")
    }
  }

  package func run() throws {
    let request = plan.request
    let compiler = try Compiler(request.compiler, precision: request.model.precision, reporter)
    let count = plan.count
    reporter.info(
      "\(count == 1 ? "a picture" : "\(count) pictures") of \(plan.width)x\(plan.height), "
        + "\(request.steps) steps of \(plan.sampler.rawValue), guidance "
        + "\(GenerationParameters.number(plan.guidance)), "
        + "\(compiler.target.precision.rawValue), \(compiler.target.threads) threads")
    reporter.report(plan.model.adapters)
    let writer = PictureWriter(plan, compiler.target)
    try Sampler(plan, compiler).draw(observing: record) { picture, image in
      let file = files[picture.number - 1]
      try writer.write(image, picture, to: file)
      reporter.info("\(file.path): seed \(picture.seed)")
    }
  }

  /// Writes the trajectory of a run if asked for, in the layout of files.
  private func record(_ run: Denoising.Run) throws {
    guard let file = plan.trajectory else { return }
    let initial = run.initial.channelsFirst
    let latents = HostArray(
      run.latents.flatMap(\.channelsFirst.floats), shape: [run.latents.count] + initial.shape)
    try SafetensorsFile.write(
      [
        ("latents_init", initial), ("latents", latents),
        ("timesteps", HostArray(run.timesteps, shape: [run.timesteps.count])),
      ],
      metadata: ["mosc": Version.text], to: file.url)
  }
}
