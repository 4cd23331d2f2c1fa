import Foundation
import MoscFormats

/// What a run writes down of every step.
package struct StepRecord: Hashable, Sendable {
  /// From 1.
  package var step: Int
  package var loss: Double
  /// The regulariser's part of the loss.
  package var attention: Double
  /// The mean norm of the concept's embeddings after the step.
  package var embeddingNorm: Double
  package var learningRate: Double
  package var seconds: Double

  package init(
    step: Int, loss: Double, attention: Double, embeddingNorm: Double, learningRate: Double,
    seconds: Double
  ) {
    self.step = step
    self.loss = loss
    self.attention = attention
    self.embeddingNorm = embeddingNorm
    self.learningRate = learningRate
    self.seconds = seconds
  }

  /// One JSON object.
  package var line: String {
    let fields: [(String, Double)] = [
      ("loss", loss), ("attn_reg", attention), ("norm", embeddingNorm), ("lr", learningRate),
      ("seconds", seconds),
    ]
    let rest = fields.map { "\"\($0)\":\(Self.number($1))" }.joined(separator: ",")
    return "{\"step\":\(step),\(rest)}"
  }

  /// JSON has no word for what is not a number.
  private static func number(_ value: Double) -> String {
    value.isFinite ? String(Float(value)) : "null"
  }

  /// Reads a line.
  init?(_ line: some StringProtocol) {
    guard let object = try? JSONValue.parse(Array(line.utf8), path: ""),
      let step = object["step"]?.int
    else { return nil }
    func field(_ name: String) -> Double { object[name]?.double ?? .nan }
    self.init(
      step: step, loss: field("loss"), attention: field("attn_reg"), embeddingNorm: field("norm"),
      learningRate: field("lr"), seconds: field("seconds"))
  }
}

/// The log of a run: one JSON object a line, and a picture of the loss.
package struct RunLog: Sendable {
  package private(set) var records: [StepRecord] = []
  private let url: URL

  /// Takes up a log up to a step; what was written after it is dropped.
  package init(_ url: URL, through step: Int) throws {
    self.url = url
    if step > 0, let text = try? String(contentsOf: url, encoding: .utf8) {
      records = text.split(separator: "\n").compactMap { StepRecord($0) }
        .filter { $0.step <= step }
    }
    try AtomicFile.write(Data(records.map { $0.line + "\n" }.joined().utf8), to: url)
  }

  /// Appends a step.
  package mutating func append(_ record: StepRecord) throws {
    records.append(record)
    let handle = try FileHandle(forWritingTo: url)
    defer { try? handle.close() }
    try handle.seekToEnd()
    try handle.write(contentsOf: Data((record.line + "\n").utf8))
  }

  /// The losses as a picture: every step as a dot, and their running mean as a line.
  package var plot: String { LossPlot(records.map { ($0.step, $0.loss) }).svg }
}
