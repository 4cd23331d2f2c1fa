import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscNetworks
import MoscReport
import MoscSample

/// `mosc evaluate`: measures how well pictures show what they were to show.
package struct EvaluateJob {
  package let request: EvaluateRequest
  package let reporter: Reporter
  /// The processes that share the pictures; nil for this one alone.
  private let team: PictureTeam?

  package init(_ request: EvaluateRequest, _ reporter: Reporter, _ team: PictureTeam? = nil) {
    (self.request, self.reporter, self.team) = (request, reporter, team)
  }

  /// Measures, and says what was found on standard output.
  ///
  /// - Throws: what is wrong with the request, a file, or the model.
  package func run() throws {
    let (report, sheet) = try measured()
    try reporter.result(request.printsJSON ? report.json : report.text)
    if let path = request.sheet {
      let file = try OutputFile(path, .picture)
      try reporter.result(try sheet.write(to: file).path)
    }
  }

  /// The evaluations of all candidates.
  package func evaluations() throws -> (evaluations: [Evaluation], choice: Choice?) {
    let report = try measured().report
    return (report.evaluations, report.choice)
  }

  private func measured() throws -> (report: EvaluationReport, sheet: EvaluationSheet) {
    try request.check()
    if let path = request.sheet { _ = try OutputFile(path, .picture) }
    let judge = try Judge(request.clip, request.sample.compiler, reporter)
    let references = try request.references.map { try References($0, masks: request.masks, judge) }
    let concepts = try request.concepts.map { ($0.name, try References($0.folder, judge)) }
    var measure = Measurement(
      judge: judge, references: references, bootstrap: Bootstrap(seed: request.seed))
    let sets = try sets()
    let base = try basePictures(sets)
    if let base {
      measure.baseText = try measure(base, name: "base")["text_alignment"]?.estimate.mean
    }
    var evaluations: [Evaluation] = []
    let leaks = try leaks(sets, measure)
    for (index, set) in sets.enumerated() {
      var evaluation = try measure(set.pictures, name: set.name)
      if let leaks { evaluation.add("leak", leaks[index]) }
      if let adapters = set.adapters { evaluation.add("held_out_loss", try heldOutLoss(adapters)) }
      if !concepts.isEmpty {
        evaluation.matrix = try ConceptMatrix(
          set.pictures.map(\.image), try regions(set.pictures), concepts, judge)
      }
      evaluations.append(evaluation)
    }
    let choice = sets.count > 1 ? Choice(evaluations, ceiling: references?.ceiling) : nil
    return (
      EvaluationReport(evaluations: evaluations, choice: choice, judge: judge.place),
      EvaluationSheet(
        sets: sets.map { ($0.name, $0.pictures) }, references: references?.pictures ?? [])
    )
  }

  // MARK: Pictures

  /// Pictures that are measured together.
  private struct PictureSet {
    var name: String
    var pictures: [JudgedPicture]
    /// The adapters they were drawn with; nil for pictures that were there.
    var adapters: [AdapterRequest]?
  }

  private func sets() throws -> [PictureSet] {
    if let folder = request.pictures {
      let caption = Caption(className: request.className, words: request.words)
      return [PictureSet(name: folder, pictures: try PictureFolder.read(folder, caption), adapters: nil)]
    }
    let drawing = try drawing()
    return try candidates.map { candidate in
      PictureSet(
        name: candidate.name,
        pictures: try drawing.pictures(candidate.adapters, title: candidate.name),
        adapters: candidate.adapters)
    }
  }

  private func drawing() throws -> Drawing {
    var lines: [PromptLine] = []
    if let path = request.promptFile { lines = try PromptLine.read(path) }
    if let path = request.probeFile { lines = try PromptLine.readProbes(path) }
    return Drawing(
      request: request, lines: lines,
      compiler: try Compiler(
        team?.compiling(request.sample.compiler) ?? request.sample.compiler,
        precision: request.sample.model.precision, reporter),
      team: team)
  }

  /// What is compared: every candidate at every strength, or the adapters as they are.
  private var candidates: [(name: String, adapters: [AdapterRequest])] {
    let shared = request.sample.model.adapters.files
    func name(_ adapter: AdapterRequest) -> String {
      let stem = URL(fileURLWithPath: adapter.path).deletingPathExtension().lastPathComponent
      return adapter.unet == 1 ? stem : "\(stem):\(GenerationParameters.number(Double(adapter.unet)))"
    }
    if request.candidates.isEmpty {
      return [(shared.isEmpty ? "base" : shared.map(name).joined(separator: "+"), shared)]
    }
    return request.candidates.flatMap { candidate -> [(String, [AdapterRequest])] in
      if request.strengths.isEmpty { return [(name(candidate), shared + [candidate])] }
      return request.strengths.map { strength in
        var scaled = candidate
        scaled.textEncoder *= strength
        scaled.unet *= strength
        return (name(scaled), shared + [scaled])
      }
    }
  }

  /// Whether there is a model with a concept, which the one without is compared with.
  private var hasConcept: Bool {
    request.className != nil
      // Words of regions are those of the concept, which the model without it does not know.
      && request.sample.regions == RegionOptions()
      && !(request.candidates.isEmpty && request.sample.model.adapters.files.isEmpty)
  }

  /// Pictures of the model without the concept; nil where it is not known or nothing was taught.
  private func basePictures(_ sets: [PictureSet]) throws -> [JudgedPicture]? {
    if let folder = request.basePictures {
      return try PictureFolder.read(folder, Caption(className: request.className, words: request.words))
    }
    guard hasConcept, let adapters = sets.first?.adapters else { return nil }
    let drawing = try drawing()
    guard drawing.lines.allSatisfy(\.regions.isEmpty) else { return nil }
    // The words of the concept are those of the model that has them.
    let caption = try drawing.caption(adapters)
    let plain = Drawing(
      request: request,
      lines: try drawing.lines.map { PromptLine(text: try caption.text($0.text), group: $0.group) },
      compiler: drawing.compiler, team: team)
    return try plain.pictures([], title: "base", withClass: true)
  }

  // MARK: Single values

  /// How much nearer to the references the class alone is drawn than by the model without the concept.
  private func leaks(_ sets: [PictureSet], _ measure: Measurement) throws -> [Estimate?]? {
    guard hasConcept, measure.references != nil, let name = request.className,
      sets.allSatisfy({ $0.adapters != nil })
    else { return nil }
    let drawing = try drawing()
    let base = try measure.similarity(try drawing.classPictures([], title: "base-class", name))
    return try sets.map { set in
      let own = try measure.similarity(
        try drawing.classPictures(set.adapters ?? [], title: "\(set.name)-class", name))
      // The same seeds begin with the same noise, so pictures are compared in pairs.
      return measure.bootstrap.estimate(
        zip(own, base).enumerated().map { ("\($0.offset)", $0.element.0 - $0.element.1) })
    }
  }

  private func heldOutLoss(_ adapters: [AdapterRequest]) throws -> Estimate? {
    guard let folder = request.heldOut else { return nil }
    let drawing = try drawing()
    let components = ModelComponents(
      try ModelComponents.open(drawing.sample(adapters).model), drawing.compiler)
    let loss = try HeldOutLoss(
      folder, components.model, try drawing.caption(adapters), seed: request.seed)
    return Bootstrap(seed: request.seed).estimate(
      try loss.values(components).enumerated().map { ("\($0.offset)", $0.element) })
  }

  private func regions(_ pictures: [JudgedPicture]) throws -> [Region] {
    guard let first = pictures.first?.image else { return [] }
    return try request.sample.regions.regions(width: first.width, height: first.height)
  }
}
