import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample

/// Pictures of a concept while it is learnt: one row for each prompt, one column for each strength
/// of its layers (0 is the embeddings alone).
struct ConceptPreview {
  private let plan: TrainPlan
  private let concept: TrainedConcept
  private let compiler: Compiler

  init(_ plan: TrainPlan, _ concept: TrainedConcept, _ compiler: Compiler) {
    self.plan = plan
    self.concept = concept
    self.compiler = compiler
  }

  /// Writes `NAME.step-N.png` beside the output.
  func draw(_ groups: [ParameterGroup], step: Int) throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "mosc-preview-\(getpid())-\(step)")
    try makeFolder(folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "concept.safetensors")
    try ConceptExport(plan, concept).write(groups, to: file, layout: .concept)
    let strengths = plan.setup.validation.alphas
    let rows = try plan.previewPrompts.map { prompt in
      ImageGrid.Row(prompt, try strengths.map { try picture(prompt, Float($0), file) })
    }
    let grid = try ImageGrid(rows, columns: strengths.map { "\($0)" }).image
    try PNG.write(grid, to: plan.preview(step))
  }

  private func picture(_ prompt: String, _ strength: Float, _ file: URL) throws -> PixelImage {
    var request = SampleRequest()
    request.model = plan.request.model
    request.model.path = plan.model.url.path
    request.model.adapters.files = [
      AdapterRequest(path: file.path, textEncoder: strength, unet: strength)
    ]
    request.compiler = plan.request.compiler
    request.prompt = prompt
    request.guidance = plan.setup.validation.guidance
    request.steps = min(plan.setup.validation.steps, 20)
    request.seeds = [1]
    let quiet = compiler.reporting(to: compiler.reporter.quieter)
    return try Sampler(try SamplePlan(request), quiet).pictures()[0]
  }
}
