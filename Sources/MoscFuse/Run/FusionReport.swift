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
      .init("layers", .array(rows)),
    ])
  }

  /// A few lines for people: per stage and concept the median and the worst residual.
  var summary: [String] {
    var lines: [String] = []
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
            + "\(Self.percent(worst)) at worst, of \(residuals.count) layers")
      }
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
