import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscIR
import MoscLLVM
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport
import MoscRuntime

/// `mosc bench`: times a component on made-up inputs.
package struct BenchJob {
  package var request: BenchRequest
  package let reporter: Reporter

  package init(_ request: BenchRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  /// The figures: one JSON line, or a few lines to read.
  package func run() throws -> String {
    if let rank = request.regionRank { return try PairedBench(self, rank: rank).run() }
    let name = request.component.rawValue
    let page = try request.explorer.map { try OutputFile($0) }
    let asked = try Compiler(request.compiler, precision: request.model.precision, reporter)
    let components = try ModelComponents(request.model, asked)
    let (function, inputs) = try subject(components.model)
    let compiler = asked.suited(to: function)
    let source = try components.model.program(function)

    let compileStart = Clock.now()
    let compiled = try compiler.compile(source.module, function: source.function.name)
    let loadStart = Clock.now()
    let program = try Program(
      compiled, weights: WeightFiles(source), on: compiler, keepsPacked: true)
    let loadEnd = Clock.now()
    _ = try program.run(inputs)
    let cold = Host.secondsSinceStart

    program.isProfiling = request.profiles || page != nil
    var times: [Double] = []
    let cpuStart = Host.processorSeconds
    reporter.begin(.run, name)
    for index in 0..<request.runs {
      try Interruption.check()
      let start = Clock.now()
      try program.rerun()
      times.append(Clock.now() - start)
      reporter.progress(.run, name, done: index + 1, of: request.runs)
    }
    let used = (Host.processorSeconds - cpuStart) / max(times.reduce(0, +), 1e-9)
    let sorted = times.sorted()
    let middle = sorted.count / 2
    let median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    if let page {
      let times = program.profile.map { ($0.kernel, $0.seconds / Double(max($0.launches, 1))) }
      let explorer = try ExplorerPage(
        source.module, name: name, compiler,
        seconds: Dictionary(uniqueKeysWithValues: times))
      try page.write(explorer.html)
    }
    if request.profiles {
      reporter.print(ProfileReport(program, try MachinePeak(compiler)).text())
    }
    let peak = Double(ProcessFacts.peakResidentBytes) / 1_073_741_824
    guard request.printsJSON else {
      func seconds(_ value: Double) -> String { String(format: "%.4f s", value) }
      return "\(name) \(request.shape.latent) batch \(request.shape.batch), "
        + "\(compiler.target.precision.rawValue), "
        + "\(compiler.target.threads) threads: median \(seconds(median)), fastest "
        + "\(seconds(sorted[0])) of \(times.count) runs; compile "
        + "\(seconds(loadStart - compileStart)), load \(seconds(loadEnd - loadStart)), first "
        + "result after \(seconds(cold)), peak \(String(format: "%.2f GiB", peak))"
    }
    return JSONValue.fields([
      ("engine", .string("mosc")), ("part", .string(name)),
      ("precision", .string(compiler.target.precision.rawValue)),
      ("latent", .string(request.shape.latent.description)),
      ("batch", .int(request.shape.batch)), ("threads", .int(compiler.target.threads)),
      ("cpu", .string(compiler.target.facts.cpu)),
      ("s_median", .rounded(median)), ("s_min", .rounded(sorted[0])),
      ("s_all", .array(times.map { .rounded($0) })), ("cores_used", .rounded(used)),
      ("peak_rss_gib", .rounded(peak)), ("load_s", .rounded(loadEnd - loadStart)),
      ("compile_s", .rounded(loadStart - compileStart)), ("cold_s", .rounded(cold)),
      ("arena_mib", .rounded(Double(program.arenaBytes) / 1_048_576)),
      ("packed_mib", .rounded(Double(program.loadBytes) / 1_048_576)),
    ]).description
  }

  /// The function and its inputs: numbers of about unit size that depend on nothing.
  func subject(_ model: DiffusersModel) throws -> (ModelFunction, [String: HostArray]) {
    let (n, h, w) = (request.shape.batch, request.shape.latent.height, request.shape.latent.width)
    var source = TorchRandomSource(seed: 0)
    func noise(_ shape: [Int]) -> HostArray {
      HostArray(source.normals(shape.reduce(1, *)), shape: shape)
    }
    switch request.component {
    case .unet:
      let config = try model.unet().config
      let contexts = request.shape.regions > 0 ? [request.shape.regions + 1] : []
      var inputs = [
        "sample": noise([n, h, w, config.inChannels]),
        "timestep": HostArray([Float](repeating: 500, count: n), shape: [n]),
        "encoder_hidden_states": noise([n] + contexts + [77, config.contextWidth]),
      ]
      inputs.merge(columns(config)) { $1 }
      if let width = config.guidanceWidth {
        inputs[GuidanceEmbedding.input] = GuidanceEmbedding.of(7.5, width: width, batch: n)
      }
      return (
        .unet(UNet.Shape(batch: n, height: h, width: w, regions: request.shape.regions)), inputs
      )
    case .vaeDecoder:
      let config = try model.vae().config
      return (
        .vaeDecoder(batch: n, height: h, width: w),
        ["latents": noise([n, h, w, config.latentChannels])]
      )
    case .vaeEncoder:
      let factor = try model.vae().config.downsampling
      return (
        .vaeEncoder(batch: n, height: h * factor, width: w * factor),
        ["image": noise([n, h * factor, w * factor, 3])]
      )
    case .textEncoder:
      let config = try model.textEncoder().config
      let ids = (0..<n * config.positions).map { Int32($0 * 37 % config.vocabulary) }
      return (
        .textEncoder(TextEncoder.Shape(batch: n)),
        ["input_ids": HostArray(ids, shape: [n, config.positions])]
      )
    }
  }

  /// Regions that stand side by side.
  static func columns(_ count: Int) -> [Region] {
    (0..<count).map { index in
      var region = Region(name: "region \(index + 1)", prompt: "")
      region.box = RegionBox(
        left: Double(index) / Double(count), top: 0, right: Double(index + 1) / Double(count),
        bottom: 1)
      return region
    }
  }

  /// The coverage of regions that stand side by side, from edge to edge.
  private func columns(_ config: UNetConfig) -> [String: HostArray] {
    let count = request.shape.regions
    if count == 0 { return [:] }
    let regions = Self.columns(count)
    let latent = request.shape.latent
    let sizes = config.attentionResolutions(height: latent.height, width: latent.width)
    return Dictionary(
      uniqueKeysWithValues: sizes.map { height, width in
        let coverage = RegionCoverage(
          regions, active: [Bool](repeating: true, count: count), height: height, width: width,
          pictureWidth: width, rounding: .centre)
        return (
          UNet.coverageName(height, width),
          HostArray(coverage.shares, shape: [count + 1, height * width])
        )
      })
  }
}
