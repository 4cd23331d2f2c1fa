import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// `mosc sample`: draws pictures for a prompt.
package struct SampleJob {
  /// One for each line of a prompt file whose lines have options of their own, else one.
  package let plans: [SamplePlan]
  package let reporter: Reporter
  /// The processes that share the pictures; nil for this one alone.
  private let team: PictureTeam?
  /// Where the pictures go, in order.
  private let files: [OutputFile]

  /// - Throws: what is wrong with the request, before any heavy work.
  package init(_ request: SampleRequest, _ reporter: Reporter, _ team: PictureTeam? = nil) throws {
    self.team = team
    plans = try request.perLine().map { try SamplePlan($0) }
    self.reporter = reporter
    if plans.count > 1, request.latentsIn != nil || request.trajectory != nil {
      throw CommandError.usage(
        "--latents-in and --trajectory are for one batch; this would draw \(plans.count)")
    }
    files = try OutputPattern(request.output, .picture).files(
      plans.flatMap { $0.batches.joined() }
        .map { OutputPattern.Item(seed: $0.seed, prompt: $0.prompt) })
    if files.count > 1, files[0].isStandardOutput {
      throw CommandError.usage("--output -: standard output takes one picture, not \(files.count)")
    }
  }

  package func run() throws {
    let first = plans[0].request
    let options = team?.compiling(first.compiler) ?? first.compiler
    let compiler = try Compiler(options, precision: first.model.precision, reporter)
    if let team { return try run(team, compiler) }
    var drawn = 0
    for plan in plans {
      try run(plan, compiler, after: drawn)
      drawn += plan.count
    }
  }

  /// Says what a plan draws.
  private func announce(_ plan: SamplePlan, _ compiler: Compiler) throws {
    let (request, count) = (plan.request, plan.count)
    reporter.info(
      "\(count == 1 ? "a picture" : "\(count) pictures") of \(plan.width)x\(plan.height), "
        + "\(request.steps) steps of \(plan.sampler.rawValue), guidance "
        + "\(GenerationParameters.number(plan.guidance)), "
        + "\(compiler.target.precision.rawValue), \(compiler.target.threads) threads")
    for note in plan.picture?.notes ?? [] { reporter.info(note) }
    if let remark = plan.fewStepRemark { reporter.info(remark) }
    try reporter.report(plan.model)
    try reporter.reportUnknownWords(try plan.words(), plan.model)
  }

  private func run(_ plan: SamplePlan, _ compiler: Compiler, after drawn: Int) throws {
    try announce(plan, compiler)
    let writer = try PictureWriter(plan, compiler.target)
    let sampler = try Sampler(plan, compiler, after: drawn, of: files.count)
    try sampler.draw(observing: { try record($0, plan) }) { picture, image in
      let file = files[drawn + picture.number - 1]
      let written = try writer.write(image, picture, to: file)
      reporter.info("picture \(drawn + picture.number) of \(files.count): seed \(picture.seed)")
      try reporter.result(written.path)
    }
    for file in try sampler.meter?.write() ?? [] { try reporter.result(file.path) }
  }

  /// Draws with other processes: pictures are written as they come, and named in their order.
  private func run(_ team: PictureTeam, _ compiler: Compiler) throws {
    var (before, writers): ([Int], [PictureWriter]) = ([], [])
    for plan in plans {
      try announce(plan, compiler)
      before.append((before.last ?? 0) + (before.isEmpty ? 0 : plans[before.count - 1].count))
      writers.append(try PictureWriter(plan, compiler.target))
    }
    var (names, named): ([Int: String], Int) = ([:], 0)
    var receiver = PictureTeam.Receiver { [self] plan, picture, image in
      let number = before[plan] + picture.number - 1
      names[number] = try writers[plan].write(image, picture, to: files[number]).path
      reporter.info("picture \(number + 1) of \(files.count): seed \(picture.seed)")
      while let name = names.removeValue(forKey: named) {
        try reporter.result(name)
        named += 1
      }
    }
    receiver.observe = { [self] in try record($1, plans[$0]) }
    receiver.end = { [self] _, sampler in
      for file in try sampler.meter?.write() ?? [] { try reporter.result(file.path) }
    }
    try team.draw(plans, reporter, making: { _ in compiler }, receiver)
  }

  /// Writes the trajectory of a run if asked for, in the layout of files.
  private func record(_ run: Denoising.Run, _ plan: SamplePlan) throws {
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
