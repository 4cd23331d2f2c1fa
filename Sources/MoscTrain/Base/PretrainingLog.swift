import Foundation
import MoscFormats
import MoscReport

/// The log of a stage: one JSON line per interval, and its curve as SVG.
struct PretrainingLog {
  /// What one line says.
  struct Line: Hashable, Sendable {
    var step: Int
    /// The mean loss and measure of the steps since the line before.
    var loss: Double?
    var measure: Double?
    var rate: Double?
    /// Seconds of training so far, those before a resumption included.
    var seconds: Double
    /// On pictures that are not trained on, with the running mean of the weights.
    var validationLoss: Double?
    var validationMeasure: Double?

    var json: JSONValue {
      var fields: [(String, JSONValue)] = [("step", .int(step))]
      for (name, value) in [
        ("loss", loss), ("error", measure), ("lr", rate), ("seconds", seconds),
        ("validation_loss", validationLoss), ("validation_error", validationMeasure),
      ] {
        if let value { fields.append((name, .double((value * 1e7).rounded() / 1e7))) }
      }
      return .fields(fields)
    }
  }

  let file: URL
  private(set) var lines: [Line] = []

  /// Reads what a run had written up to a step; what came after is written again.
  init(_ file: URL, upTo step: Int) throws {
    self.file = file
    guard step > 0, FileManager.default.fileExists(atPath: file.path) else { return }
    let text = String(decoding: try readFile(file), as: UTF8.self)
    for row in text.split(separator: "\n") {
      let value = try JSONValue.parse(Array(row.utf8), path: file.path)
      let line = Line(
        step: value["step"]?.int ?? 0, loss: value["loss"]?.double,
        measure: value["error"]?.double, rate: value["lr"]?.double,
        seconds: value["seconds"]?.double ?? 0, validationLoss: value["validation_loss"]?.double,
        validationMeasure: value["validation_error"]?.double)
      if line.step <= step { lines.append(line) }
    }
  }

  /// Appends a line and writes file and curve.
  mutating func append(_ line: Line) throws {
    lines.append(line)
    let text = lines.map { $0.json.description + "\n" }.joined()
    try AtomicFile.write(Data(text.utf8), to: file)
    let curve = file.deletingPathExtension().appendingPathExtension("svg")
    try AtomicFile.write(Data(svg.utf8), to: curve)
  }

  /// The loss over the steps; larger dots are those on held-out pictures.
  var svg: String {
    func points(_ value: (Line) -> Double?) -> [(step: Int, loss: Double)] {
      lines.compactMap { line in value(line).map { (line.step, $0) } }
    }
    return LossPlot(points(\.loss), measured: points(\.validationLoss)).svg
  }
}
