import Foundation
import MoscCodegen
import MoscFuzz
import MoscIR
import MoscLLVM
import Testing

/// One elementary function, its f64 truth, the range tried and the error promised there.
struct MathCase: Sendable, CustomTestStringConvertible {
  let name: String
  let emit: @Sendable (FunctionEmitter) -> (LLVMValue) -> LLVMValue
  let truth: @Sendable (Double) -> Double
  let range: ClosedRange<Float>
  var relative = 0.0
  var absolute = 0.0
  var testDescription: String { name }

  static let all: [MathCase] = [
    .init(
      name: "exp", emit: { $0.exp }, truth: { Foundation.exp($0) }, range: -87...88.7,
      relative: 1.5e-7),
    .init(
      name: "exp below", emit: { $0.exp }, truth: { Foundation.exp($0) }, range: -120 ... -87,
      relative: 1.5e-7, absolute: 1.5e-45),
    .init(
      name: "exp2", emit: { $0.exp2 }, truth: { Foundation.exp2($0) }, range: -126...127.9,
      relative: 1.5e-7),
    .init(
      name: "log", emit: { $0.log }, truth: { Foundation.log($0) }, range: 1e-30...1e30,
      relative: 2e-7),
    .init(
      name: "log near 1", emit: { $0.log }, truth: { Foundation.log($0) }, range: 0.5...2,
      relative: 2e-7, absolute: 1e-7),
    .init(
      name: "erf", emit: { $0.erf }, truth: { Foundation.erf($0) }, range: -5...5,
      absolute: 1.2e-7),
    .init(
      name: "tanh", emit: { $0.tanh }, truth: { Foundation.tanh($0) }, range: -10...10,
      relative: 2e-7),
    .init(
      name: "sigmoid", emit: { $0.sigmoid }, truth: { 1 / (1 + Foundation.exp(-$0)) },
      range: -80...80, relative: 3e-7),
    .init(
      name: "silu", emit: { $0.silu }, truth: { $0 / (1 + Foundation.exp(-$0)) },
      range: -30...30, relative: 3e-7),
    .init(
      name: "gelu", emit: { $0.gelu },
      truth: { $0 / 2 * (1 + Foundation.erf($0 / 2.0.squareRoot())) }, range: -6...6,
      absolute: 6e-7),
    .init(
      name: "rsqrt", emit: { $0.rsqrt }, truth: { 1 / $0.squareRoot() }, range: 1e-20...1e20,
      relative: 1.2e-7),
    .init(
      name: "sin", emit: { $0.sin }, truth: { Foundation.sin($0) }, range: -1e4...1e4,
      absolute: 1e-7),
    .init(
      name: "cos", emit: { $0.cos }, truth: { Foundation.cos($0) }, range: -1e4...1e4,
      absolute: 1e-7),
  ]
}

/// A kernel that maps `lanes` elements per task.
func mapKernel(
  _ facts: TargetFacts, lanes: Int, _ body: (FunctionEmitter, LLVMValue) -> LLVMValue
) throws -> CompiledKernel {
  try compile(for: facts) { e in
    e.kernel("k", buffers: 2) { task, buffers in
      let index = e.mul(task, lanes)
      let x = e.load(.f32, e.element(buffers[0], index, .f32), lanes: lanes)
      e.store(body(e, x), as: .f32, e.element(buffers[1], index, .f32))
    }
  }
}

@Suite struct VectorMathTests {
  @Test(arguments: MathCase.all)
  func staysWithinItsError(_ function: MathCase) throws {
    for facts in allTargets {
      for lanes in facts.lanes == 8 ? [8, 1] : [facts.lanes] {
        let kernel = try mapKernel(facts, lanes: lanes) { e, x in function.emit(e)(x) }
        var numbers = SeededNumbers(7)
        let count = lanes == 1 ? 2_000 : 48_000
        var inputs = numbers.floats(count, in: function.range)
        if function.range.lowerBound > 0, function.range.upperBound > 1e10 {
          // Magnitudes spread evenly instead of values.
          inputs = inputs.map { _ in
            Float.random(in: 1...2, using: &numbers)
              * Foundation.pow(2, Float(Int.random(in: -60...60, using: &numbers)))
          }
        }
        inputs[0] = function.range.lowerBound
        inputs[1] = function.range.upperBound
        if function.range.contains(0) { inputs[2] = 0 }
        let output = Memory(bytes: count * 4)
        kernel.run([Memory(inputs), output], tasks: 0..<(count / lanes))
        var worst = 0.0
        for (x, y) in zip(inputs, output.floats()) {
          let truth = function.truth(Double(x))
          let allowed = Swift.max(function.absolute, abs(truth) * function.relative)
          worst = Swift.max(worst, abs(Double(y) - truth) / Swift.max(allowed, 1e-300))
        }
        #expect(worst <= 1, "\(function.name), \(facts.cpu), \(lanes) lanes: \(worst)")
      }
    }
  }

  @Test func handlesSpecialValues() throws {
    for facts in allTargets {
      let lanes = facts.lanes
      func value(_ x: Float, _ f: (FunctionEmitter) -> (LLVMValue) -> LLVMValue) throws -> Float {
        let kernel = try mapKernel(facts, lanes: lanes) { e, x in f(e)(x) }
        let output = Memory(bytes: lanes * 4)
        kernel.run([Memory(Array(repeating: x, count: lanes)), output], tasks: 0..<1)
        return output.floats()[lanes - 1]
      }
      #expect(try value(-.infinity) { $0.exp } == 0)
      #expect(try value(.infinity) { $0.exp } == .infinity)
      #expect(try value(.nan) { $0.exp }.isNaN)
      #expect(try value(0) { $0.exp } == 1)
      #expect(try value(0) { $0.log } == -.infinity)
      #expect(try value(-1) { $0.log }.isNaN)
      #expect(try value(.infinity) { $0.log } == .infinity)
      let subnormal = Float(bitPattern: 7_000)
      #expect(abs(try value(subnormal) { $0.log } - Foundation.log(subnormal)) < 2e-5)
      #expect(try value(100) { $0.erf } == 1)
      #expect(try value(-100) { $0.tanh } == -1)
    }
  }
}
