import Foundation

/// A curve of losses over steps as SVG.
package struct LossPlot: Sendable {
  private let points: [(step: Int, loss: Double)]
  /// Losses on held-out data, drawn as larger dots.
  private let measured: [(step: Int, loss: Double)]

  private static let (width, height) = (720.0, 320.0)
  private static let (left, right, top, bottom) = (56.0, 16.0, 16.0, 36.0)

  package init(
    _ points: [(step: Int, loss: Double)], measured: [(step: Int, loss: Double)] = []
  ) {
    self.points = points.filter { $0.loss.isFinite }
    self.measured = measured.filter { $0.loss.isFinite }
  }

  /// The mean of losses, falling off over as many steps as a twentieth of the run.
  private var means: [(step: Int, loss: Double)] {
    let share = 1 / max(1, Double(points.count) / 20)
    var (mean, weight) = (0.0, 0.0)
    return points.map { point in
      mean += share * (point.loss - mean)
      weight += share * (1 - weight)
      return (point.step, mean / weight)
    }
  }

  /// The picture.
  package var svg: String {
    let steps = (points + measured).map(\.step)
    let (first, last) = (steps.min() ?? 0, max(steps.max() ?? 1, 1))
    let losses = points.map(\.loss).sorted()
    // A few outliers should not flatten the curve.
    let highest = losses.isEmpty ? 1 : losses[min(losses.count - 1, losses.count * 99 / 100)]
    let top = highest > 0 ? highest * 1.1 : 1
    func x(_ step: Int) -> Double {
      Self.left + (Self.width - Self.left - Self.right) * Double(step - first)
        / Double(max(1, last - first))
    }
    func y(_ loss: Double) -> Double {
      let share = min(1, max(0, loss / top))
      return Self.height - Self.bottom - (Self.height - Self.top - Self.bottom) * share
    }
    func text(_ value: Double) -> String { String(format: "%.1f", value) }
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Int(Self.width)) "
        + "\(Int(Self.height))\" font-family=\"sans-serif\" font-size=\"12\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
    ]
    for tick in 0...4 {
      let value = top * Double(tick) / 4
      parts.append(
        "<line x1=\"\(text(Self.left))\" x2=\"\(text(Self.width - Self.right))\" "
          + "y1=\"\(text(y(value)))\" y2=\"\(text(y(value)))\" stroke=\"#ddd\"/>"
          + "<text x=\"\(text(Self.left - 6))\" y=\"\(text(y(value) + 4))\" text-anchor=\"end\">"
          + "\(String(format: "%.3g", value))</text>")
      let step = first + (last - first) * tick / 4
      parts.append(
        "<text x=\"\(text(x(step)))\" y=\"\(text(Self.height - Self.bottom + 18))\" "
          + "text-anchor=\"middle\">\(step)</text>")
    }
    parts += points.map {
      "<circle cx=\"\(text(x($0.step)))\" cy=\"\(text(y($0.loss)))\" r=\"1.5\" fill=\"#9bc\"/>"
    }
    let line = means.map { "\(text(x($0.step))),\(text(y($0.loss)))" }.joined(separator: " ")
    parts.append("<polyline points=\"\(line)\" fill=\"none\" stroke=\"#136\" stroke-width=\"2\"/>")
    parts += measured.map {
      "<circle cx=\"\(text(x($0.step)))\" cy=\"\(text(y($0.loss)))\" r=\"3\" fill=\"#c42\"/>"
    }
    parts.append(
      "<text x=\"\(text(Self.width / 2))\" y=\"\(text(Self.height - 4))\" text-anchor=\"middle\">"
        + "step</text></svg>\n")
    return parts.joined(separator: "\n")
  }
}
