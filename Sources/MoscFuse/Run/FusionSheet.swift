import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample

/// A contact sheet of a fusion: one row per concept, drawn by its own file, then by the fused one,
/// from the same seed and prompt.
struct FusionSheet {
  /// How far the fused model is from a concept's own pictures.
  struct Likeness: Sendable {
    var concept: String
    /// The root mean square difference of pixels, 0…255, over the seeds.
    var distance: Double
  }

  private let plan: FusionPlan
  private let request: FuseRequest
  /// The fused file.
  private let fused: String
  private let reporter: Reporter
  /// Pictures per concept.
  private static let seeds = 2

  init(_ plan: FusionPlan, _ request: FuseRequest, _ fused: String, _ reporter: Reporter) {
    self.plan = plan
    self.request = request
    self.fused = fused
    self.reporter = reporter
  }

  /// Draws the sheet and says how alike its columns are.
  @discardableResult
  func write(to file: OutputFile) throws -> [Likeness] {
    let compiler = try Compiler(
      request.compiler, precision: request.model.precision, reporter)
    var rows: [ImageGrid.Row] = []
    var likeness: [Likeness] = []
    for concept in plan.list {
      let own = AdapterRequest(
        path: concept.file.path, textEncoder: concept.strength.textEncoder,
        unet: concept.strength.unet)
      let fused = AdapterRequest(path: fused)
      let before = try pictures(own, "photo of a \(concept.ownPrompt)", compiler)
      let after = try pictures(fused, concept.prompts[0], compiler)
      rows.append(ImageGrid.Row(concept.name, before + after))
      let squares = zip(before.flatMap(\.pixels), after.flatMap(\.pixels)).reduce(0.0) {
        let difference = Double($1.0) - Double($1.1)
        return $0 + difference * difference
      }
      let count = before.reduce(0) { $0 + $1.pixels.count }
      likeness.append(
        Likeness(
          concept: concept.name, distance: (squares / Double(max(1, count))).squareRoot()))
    }
    let columns = ["alone", "fused"].flatMap { [$0] + Array(repeating: "", count: Self.seeds - 1) }
    let image = try ImageGrid(rows, columns: columns).image
    try file.put(image, texts: [("Software", Version.text)])
    for entry in likeness {
      reporter.info(
        "\(entry.concept): fused pictures differ from its own by "
          + "\(String(format: "%.1f", entry.distance)) of 255")
    }
    return likeness
  }

  private func pictures(
    _ adapter: AdapterRequest, _ prompt: String, _ compiler: Compiler
  ) throws -> [PixelImage] {
    var sample = SampleRequest()
    sample.model = ModelOptions(path: request.model.path, precision: request.model.precision)
    sample.model.adapters.files = [adapter]
    sample.model.adapters.allowsUnmatched = request.model.adapters.allowsUnmatched
    sample.compiler = request.compiler
    sample.prompt = prompt
    sample.steps = request.steps
    sample.batchSize = Self.seeds
    sample.seeds = [request.seed]
    if let size = request.size { (sample.width, sample.height) = (size, size) }
    return try Sampler(try SamplePlan(sample), compiler).pictures()
  }
}
