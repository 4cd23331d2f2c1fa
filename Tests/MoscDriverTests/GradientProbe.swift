import MoscDriver
import MoscFuzz
import MoscIR

/// Compares results named `d_x` of a function with how its result `loss` changes along `x`.
struct GradientProbe {
  private let test: FuzzCase
  private let labels: [String]
  private static let step = 1e-5
  /// Of exact arithmetic: what a central difference itself errs by.
  private static let tolerance = 1e-5
  /// A parameter of more elements is probed along a few random directions in place of every axis.
  private static let axes = 64
  private static let directions = 6

  init(_ test: FuzzCase) {
    self.test = test
    labels = test.function.resultLabels
  }

  /// What disagrees first, or nil.
  func problem() throws -> String? {
    let gradients = labels.filter { $0.hasPrefix("d_") }
    guard labels.contains("loss"), !gradients.isEmpty else {
      return "results 'loss' and 'd_…' are missing"
    }
    return try HostTensor.$isExact.withValue(true) {
      let found = try results(test.inputs)
      for label in gradients {
        let name = String(label.dropFirst(2))
        guard let input = test.inputs[name], let gradient = found[label] else {
          return "there is no parameter '\(name)'"
        }
        let slopes = Self.probes(input.elements.count).map { probe in
          (probe, zip(probe, gradient.elements).reduce(0) { $0 + $1.0 * $1.1 })
        }
        let scale = slopes.map { abs($0.1) }.max() ?? 0
        if scale == 0 { return "'\(label)' is zero: nothing is tested" }
        for (index, (probe, slope)) in slopes.enumerated() {
          let ends = try [Self.step, -Self.step].map { step in
            var inputs = test.inputs
            inputs[name] = HostTensor(
              input.type, zip(input.elements, probe).map { $0 + step * $1 })
            return try results(inputs)["loss"]?.elements[0] ?? .nan
          }
          let expected = (ends[0] - ends[1]) / (2 * Self.step)
          if !(abs(expected - slope) <= Self.tolerance * scale) {
            return "'\(label)' along direction \(index): found \(slope), expected \(expected)"
          }
        }
      }
      return nil
    }
  }

  /// Directions in which all elements are seen.
  private static func probes(_ count: Int) -> [[Double]] {
    var numbers = SeededNumbers(1)
    if count > axes {
      return (0..<directions).map { _ in numbers.floats(count).map(Double.init) }
    }
    return (0..<count).map { axis in (0..<count).map { $0 == axis ? 1 : 0 } }
  }

  private func results(_ inputs: [String: HostTensor]) throws -> [String: HostTensor] {
    let sources = test.module.weights.map { ($0.name, test.weights) }
    let evaluator = Evaluator(
      test.module, weights: Dictionary(sources, uniquingKeysWith: { $1 }))
    let values = try evaluator.run(
      test.function, test.function.parameters.compactMap { inputs[test.function[$0].name] })
    return Dictionary(uniqueKeysWithValues: zip(labels, values))
  }
}
