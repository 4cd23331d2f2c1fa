import Foundation
import MoscFormats

/// The log of a stage: one JSON line per interval, and its curve as SVG.
struct PretrainingLog {
  /// What one line says.
  struct Line: Hashable, Sendable {
    var step: Int
    /// The mean loss and measure of the steps since the line before.
    var loss: Double?
    var measure: Double?
    var rate: Double?
    /// Seconds of training so far, over all sittings of the run.
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

  /// The loss over the steps, on a logarithmic scale; dots are validation losses.
  var svg: String {
    let (width, height, left, bottom) = (640.0, 320.0, 56.0, 32.0)
    let values = lines.flatMap { [$0.loss, $0.validationLoss].compactMap { $0 } }.filter { $0 > 0 }
    guard let low = values.min(), let high = values.max(), let last = lines.last?.step else {
      return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\(height)\"/>\n"
    }
    let span = max(log(high) - log(low), 1e-6)
    func x(_ step: Int) -> String {
      number(left + (width - left - 12) * Double(step) / Double(max(1, last)))
    }
    func y(_ value: Double) -> String {
      number(12 + (height - bottom - 12) * (log(high) - log(max(value, low))) / span)
    }
    func number(_ value: Double) -> String { String(format: "%.1f", value) }
    func text(_ content: String, x: String, y: String, anchor: String) -> String {
      "<text x=\"\(x)\" y=\"\(y)\" text-anchor=\"\(anchor)\">\(content)</text>"
    }
    let path = lines.compactMap { line in line.loss.map { "\(x(line.step)),\(y($0))" } }
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"320\" "
        + "font-family=\"sans-serif\" font-size=\"11\">",
      "<rect width=\"640\" height=\"320\" fill=\"white\"/>",
      "<polyline fill=\"none\" stroke=\"#2060c0\" points=\"\(path.joined(separator: " "))\"/>",
    ]
    for line in lines {
      guard let value = line.validationLoss else { continue }
      parts.append("<circle r=\"3\" fill=\"#c04020\" cx=\"\(x(line.step))\" cy=\"\(y(value))\"/>")
    }
    for share in [0.0, 0.5, 1.0] {
      let value = exp(log(low) + span * share)
      parts.append(text(String(format: "%.4f", value), x: "50", y: y(value), anchor: "end"))
      let step = Int(Double(last) * share)
      parts.append(text("\(step)", x: x(step), y: "306", anchor: "middle"))
    }
    return (parts + ["</svg>"]).joined(separator: "\n") + "\n"
  }
}
