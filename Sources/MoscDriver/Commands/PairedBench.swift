import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import MoscRuntime
import MoscSample

/// `mosc bench unet --regions R --region-rank K`: the U-Net with an adapter in each region and without regions,
/// in turns, so that whatever else the machine does meets both.
struct PairedBench {
  private let job: BenchJob
  private let rank: Int

  init(_ job: BenchJob, rank: Int) { (self.job, self.rank) = (job, rank) }

  func run() throws -> String {
    let request = job.request
    let compiler = try Compiler(request.compiler, precision: request.model.precision, job.reporter)
    let components = try ModelComponents(request.model, compiler)
    var plain = job
    plain.request.shape.regions = 0
    let (function, inputs) = try plain.subject(components.model)
    let alone = try components.program(function)
    _ = try alone.run(inputs)
    let regional = try program(components, compiler)
    for program in [alone, regional] { program.isProfiling = request.profiles }
    var times: (alone: [Double], regional: [Double]) = ([], [])
    var work: (alone: [Double], regional: [Double]) = ([], [])
    for _ in 0..<request.runs {
      try Interruption.check()
      for isRegional in [false, true] {
        let (start, used) = (Clock.now(), Host.processorSeconds)
        try (isRegional ? regional : alone).rerun()
        let (time, spent) = (Clock.now() - start, Host.processorSeconds - used)
        if isRegional {
          times.regional.append(time)
          work.regional.append(spent)
        } else {
          times.alone.append(time)
          work.alone.append(spent)
        }
      }
    }
    if request.profiles {
      job.reporter.print(ProfileReport(regional, try MachinePeak(compiler)).text())
    }
    func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
    let ratios = zip(times.regional, times.alone).map { $0 / $1 }
    // On a busy machine, this with one thread says more than the clock.
    let spent = median(zip(work.regional, work.alone).map { $0 / $1 })
    func seconds(_ value: Double) -> String { String(format: "%.4f s", value) }
    func factor(_ value: Double) -> String { String(format: "%.3f", value) }
    return "unet \(request.shape.latent) batch \(request.shape.batch), "
      + "\(compiler.target.precision.rawValue), \(compiler.target.threads) threads: without regions "
      + "\(seconds(median(times.alone))), \(request.shape.regions) regions with an adapter of rank \(rank) each "
      + "\(seconds(median(times.regional))); median of \(ratios.count) ratios \(factor(median(ratios))), "
      + "from \(factor(ratios.min() ?? 0)) to \(factor(ratios.max() ?? 0)); of processor time \(factor(spent))"
  }

  /// The U-Net with regions that stand side by side and their adapters, run once.
  private func program(_ components: ModelComponents, _ compiler: Compiler) throws -> Program {
    let shape = job.request.shape
    var model = components.model
    let adapters = try RegionalAdapters(madeUp: shape.regions, rank: rank, model)
    model.regional = adapters
    var padded = job
    padded.request.shape.regions = UNet.bucket(regions: shape.regions)
    let (function, given) = try padded.subject(model)
    let program = try ModelComponents(model, compiler).program(function)
    let config = try model.unet().config
    let regions = BenchJob.columns(shape.regions)
    var inputs = given
    let contexts = padded.request.shape.regions + 1
    for (height, width) in config.resolutions(height: shape.latent.height, width: shape.latent.width) {
      let coverage = RegionCoverage(
        regions, active: [Bool](repeating: true, count: regions.count), height: height, width: width,
        pictureWidth: width, rounding: .centre)
      let missing = [Float](repeating: 0, count: (contexts - 1 - regions.count) * height * width)
      inputs[UNet.coverageName(height, width)] = HostArray(
        coverage.shares + missing, shape: [contexts, height * width])
      inputs.merge(RegionGates(adapters).inputs(coverage)) { $1 }
    }
    inputs.merge(RegionGates(adapters).contexts(contexts, tokens: 77)) { $1 }
    let known = program.inputTypes
    _ = try program.run(inputs.filter { known[$0.key] != nil })
    return program
  }
}
