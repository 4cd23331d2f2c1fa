import Foundation
import MoscFormats

/// The log of a run: a JSON object in a line for each interval of steps, and the loss as a picture.
struct TrainingLog {
  /// The numbers of a step, in the order in which they are written; one that is not finite is null.
  struct Line {
    let step: Int
    let values: [(name: String, value: Double)]

    init(_ step: Int, _ values: [(name: String, value: Double)]) {
      self.step = step
      self.values = values
    }

    /// Reads a line; nil for one that a kill cut short.
    init?(_ text: some StringProtocol) {
      guard let members = try? JSONValue.parse(Array(text.utf8), path: "").members,
        let step = members.first(where: { $0.key == "step" })?.value.int
      else { return nil }
      self.init(
        step, members.filter { $0.key != "step" }.map { ($0.key, $0.value.double ?? .nan) })
    }

    subscript(name: String) -> Double? { values.first { $0.name == name }?.value }

    /// The line in the precision of f32.
    var text: String {
      let fields = values.map { name, value in
        JSONValue.Member(name, value.isFinite ? .number(Double("\(Float(value))")) : .null)
      }
      return JSONValue.object([JSONValue.Member("step", .int(step))] + fields).description
    }
  }

  private(set) var lines: [Line] = []
  private let file: URL
  private let picture: URL

  /// Takes up a log up to a step; what was written after it is dropped.
  init(_ file: URL, picture: URL, through step: Int) throws {
    self.file = file
    self.picture = picture
    if step > 0, let text = try? String(contentsOf: file, encoding: .utf8) {
      lines = text.split(separator: "\n").compactMap { Line($0) }.filter { $0.step <= step }
    }
    try AtomicFile.write(Data(lines.map { $0.text + "\n" }.joined().utf8), to: file)
  }

  /// Appends a line.
  mutating func append(_ line: Line) throws {
    lines.append(line)
    let handle = try FileHandle(forWritingTo: file)
    defer { try? handle.close() }
    try handle.seekToEnd()
    try handle.write(contentsOf: Data((line.text + "\n").utf8))
  }

  /// Writes the losses as a picture: lines as dots with their running mean, and larger dots for the
  /// losses on held-out pictures.
  func draw() throws {
    func points(_ name: String) -> [(step: Int, loss: Double)] {
      lines.compactMap { line in line[name].map { (line.step, $0) } }
    }
    let plot = LossPlot(points("loss"), measured: points("validation_loss"))
    try AtomicFile.write(Data(plot.svg.utf8), to: picture)
  }
}
