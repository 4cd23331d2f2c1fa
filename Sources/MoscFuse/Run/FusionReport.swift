import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscRuntime

/// What a fusion did: residuals of layers and concepts, time and memory of its phases.
struct FusionReport {
  /// A stretch of the work.
  struct Part {
    var name: String
    var seconds: Double
    /// The largest resident set up to its end, in bytes.
    var peakBytes: Int
  }

  private(set) var parts: [Part] = []
  var layers: [FusedLayer] = []
  /// Layers that were added up without looking at inputs.
  private(set) var merges: [MergedLayer] = []
  /// The loss of a refinement in its first and its last steps; nil without one.
  var losses: (first: Double, last: Double)?
  var notes: [String] = []

  /// Runs a stretch of work and notes what it took.
  mutating func measure<T>(_ name: String, _ work: (inout FusionReport) throws -> T) rethrows -> T {
    let start = ContinuousClock.now
    let result = try work(&self)
    parts.append(
      Part(
        name: name, seconds: (ContinuousClock.now - start) / .seconds(1),
        peakBytes: ProcessFacts.peakResidentBytes))
    return result
  }

  /// Notes what a merge made of a layer, and hands it out.
  mutating func merge(
    _ layer: FusionLayer, _ method: FusionMethod, _ concepts: [FusionConcept], factor: Double,
    _ result: AdapterFile.Layer?
  ) -> AdapterFile.Layer? {
    if let merged = MergedLayer(layer, method, concepts, factor: factor, result) { merges.append(merged) }
    return result
  }

  /// The worst relative residual, with its place.
  var worst: (residual: Double, layer: String, concept: String)? {
    let all = layers.flatMap { layer in
      layer.concepts.map {
        (FusedLayer.relative($0.before, $0.after), layer.layer.id, $0.name)
      }
    }
    return all.max { $0.0 < $1.0 }
  }

  /// The report as JSON.
  func json(_ settings: JSONValue) -> JSONValue {
    let rows = layers.map { layer in
      JSONValue.object([
        .init("layer", .string(layer.layer.id)), .init("stage", .string(layer.layer.stage.rawValue)),
        .init("rows", .int(layer.rows)), .init("rank", .int(layer.basis.columns)),
        .init("mse_before", .double(layer.before)), .init("mse_after", .double(layer.after)),
        .init("change", .double(layer.m.norm)), .init("penalty", .double(layer.penalty)),
        .init("evaluations", .int(layer.evaluations)),
        .init(
          "concepts",
          .array(
            layer.concepts.map {
              .object([
                .init("name", .string($0.name)), .init("mse_before", .double($0.before)),
                .init("mse_after", .double($0.after)),
                .init("residual", .double(FusedLayer.relative($0.before, $0.after))),
              ])
            })),
      ])
    }
    let phases = parts.map { part in
      JSONValue.object([
        .init("name", .string(part.name)), .init("seconds", .double(part.seconds)),
        .init("peak_rss_bytes", .int(part.peakBytes)),
      ])
    }
    return .object([
      .init("mosc", .string(Version.text)), .init("settings", settings),
      .init("notes", .array(notes.map { .string($0) })), .init("phases", .array(phases)),
      .init("layers", .array(rows + merges.map(\.json))),
      .init(
        "refinement",
        losses.map {
          .object([.init("loss_first", .double($0.first)), .init("loss_last", .double($0.last))])
        } ?? .null),
    ])
  }

  /// What residuals above 1 mean, if there are any.
  var warning: String? {
    let lost = layers.flatMap { layer in
      layer.concepts.map {
        (residual: FusedLayer.relative($0.before, $0.after), concept: $0.name, layer: layer.layer.id)
      }
    }.filter { !($0.residual <= 1) }
    guard let worst = lost.max(by: { $0.residual < $1.residual }) else { return nil }
    return "\(lost.count == 1 ? "a layer serves" : "\(lost.count) times a layer serves") a concept worse than the "
      + "model without it, most '\(worst.layer)' for \(worst.concept) (residual \(Self.percent(worst.residual))); "
      + "concepts whose prompts or pictures are much alike, or high strengths, do that: look at --sheet"
  }

  /// What a median residual says of a concept.
  private static func verdict(_ median: Double) -> String {
    switch median {
    case ..<0.1: "kept"
    case ..<0.35: "mostly kept"
    case ..<0.7: "weakened"
    default: "mostly lost"
    }
  }

  /// A few lines for people: per stage and concept the median and the worst residual.
  var summary: [String] {
    var lines: [String] = []
    if !layers.isEmpty {
      lines.append(
        "residuals\(losses == nil ? "" : " before refining"): 0 is a concept as by its own file, 1 the model without it")
    }
    for stage in FusionLayer.Stage.allCases {
      let own = layers.filter { $0.layer.stage == stage }
      for name in own.first?.concepts.map(\.name) ?? [] {
        let residuals = own.compactMap { layer in
          layer.concepts.first { $0.name == name }
            .map { FusedLayer.relative($0.before, $0.after) }
        }.sorted()
        guard let worst = residuals.last else { continue }
        let median = residuals[residuals.count / 2]
        lines.append(
          "\(stage.rawValue), \(name): residual \(Self.percent(median)) in the median, "
            + "\(Self.percent(worst)) at worst, of \(residuals.count) layers: \(Self.verdict(median))")
      }
    }
    if let losses {
      lines.append(
        "refining: the squared difference from what each concept's own file predicts went from "
          + "\(String(format: "%.2g", losses.first)) to \(String(format: "%.2g", losses.last))")
    }
    for part in parts {
      lines.append(
        "\(part.name): \(String(format: "%.1f", part.seconds)) s, peak memory "
          + "\(part.peakBytes >> 20) MiB")
    }
    return lines
  }

  private static func percent(_ share: Double) -> String {
    String(format: share < 0.001 ? "%.1e" : "%.3f", share)
  }
}
