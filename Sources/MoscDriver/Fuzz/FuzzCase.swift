import MoscEngine
import MoscFormats
import MoscFuzz
import MoscIR

/// A random function with numbers for its parameters and weights, and what they are compared with.
package struct FuzzCase {
  package let seed: UInt64
  package let module: Module
  /// The function that is run.
  package let function: Graph
  package let inputs: [String: HostTensor]
  package let weights: [String: HostTensor]

  /// The case of a seed: up to eight ops, or a few more.
  package init(seed: UInt64) throws {
    let generated = try GraphGenerator(seed: seed, size: 2 + Int(seed % 7))
    let module = Module(
      weights: [WeightsDeclaration(name: "w", path: "none")], graphs: [generated.graph])
    self.init(module, seed: seed, weights: generated.weights)
  }

  /// A given module whose first function is run, with random numbers.
  ///
  /// - Parameter weights: the weights by name; nil for random ones.
  package init(_ module: Module, seed: UInt64, weights: [String: HostTensor]? = nil) {
    var numbers = SeededNumbers(seed &+ 1)
    func tensor(_ type: TensorType, _ size: Float) -> HostTensor {
      HostTensor(type) { _ in
        type.dtype.isFloat
          ? Double(Float.random(in: -size...size, using: &numbers))
          : Double(Int.random(in: -2...9, using: &numbers))
      }
    }
    var inputs: [String: HostTensor] = [:]
    let function = module.graphs.first { $0.kind == .function } ?? Graph("none")
    for id in function.parameters {
      inputs[function[id].name] = tensor(function.type(id), 2)
    }
    var found = weights ?? [:]
    for id in function.order where weights == nil {
      if case .param(let weight) = function[id].op { found[weight.name] = tensor(weight.type, 0.5) }
    }
    (self.module, self.seed, self.inputs) = (module, seed, inputs)
    (self.weights, self.function) = (found, function)
  }

  private var sources: [String: [String: HostTensor]] {
    Dictionary(module.weights.map { ($0.name, weights) }, uniquingKeysWith: { $1 })
  }

  /// What the function computes, by the reference evaluator without any pass.
  package func expected() throws -> [HostTensor] {
    try Evaluator(module, weights: sources)
      .run(function, function.parameters.compactMap { inputs[function[$0].name] })
  }

  /// What the parts of the function compute after passes, by the reference evaluator.
  package func expected(after passes: Module) throws -> [HostTensor] {
    let evaluator = Evaluator(passes, weights: sources)
    var known = inputs
    for rate in [Rate.load, .prompt, .step] {
      guard let part = passes["\(function.name).\(rate.name)"] else { continue }
      let arguments = part.parameters.compactMap { known[part[$0].name] }
      for (name, value) in zip(part.resultLabels, try evaluator.run(part, arguments)) {
        known[name] = value
      }
    }
    return function.resultLabels.compactMap { known[$0] }
  }

  /// What compiled code computes.
  package func computed(_ compiler: Compiler) throws -> [HostTensor] {
    let compiled = try compiler.compile(module, function: function.name)
    let store = TensorStore(
      "seed \(seed)",
      weights.sorted { $0.key < $1.key }.map { name, tensor in
        (name, HostArray(tensor.elements, as: ElementType(tensor.type.dtype), tensor.type.shape))
      })
    let program = try Program(
      compiled, weights: WeightFiles(sources.mapValues { _ in store }), on: compiler)
    let results = try program.run(
      inputs.mapValues { tensor in
        tensor.type.dtype.isFloat
          ? HostArray(tensor.elements.map { Float($0) }, shape: tensor.type.shape)
          : HostArray(tensor.elements.map { Int32($0) }, shape: tensor.type.shape)
      })
    return zip(function.results, function.resultLabels).compactMap { id, name in
      results[name].map { HostTensor(function.type(id), $0.floats.map(Double.init)) }
    }
  }

  /// How far two results may be apart: `absolute + relative · |expected|`.
  package struct Bound: Hashable, Sendable {
    package var absolute: Double
    package var relative: Double

    /// Of f32 code and of passes that keep f32: rounding, through a few ops.
    package static let f32 = Bound(absolute: 2e-3, relative: 2e-3)
    /// Of bf16 against f32 arithmetic: 2⁻⁸ per rounding, through a few ops and norms.
    package static let bf16 = Bound(absolute: 0.25, relative: 0.1)
  }

  /// The first element that is too far off, or nil.
  package static func difference(
    _ found: [HostTensor], _ expected: [HostTensor], _ bound: Bound
  ) -> String? {
    guard found.count == expected.count else {
      return "\(found.count) results, expected \(expected.count)"
    }
    for (index, (have, want)) in zip(found, expected).enumerated() {
      guard have.elements.count == want.elements.count else {
        return "result \(index) is \(have.type), expected \(want.type)"
      }
      for place in want.elements.indices {
        let (x, y) = (want.elements[place], have.elements[place])
        if x == y || (x.isNaN && y.isNaN) { continue }
        if abs(x - y) <= bound.absolute + bound.relative * abs(x) { continue }
        return "result \(index) \(want.type) element \(place): found \(y), expected \(x)"
      }
    }
    return nil
  }
}

extension HostArray {
  /// Numbers stored in an element type of 2 or 4 bytes.
  fileprivate init(_ values: [Double], as type: ElementType, _ shape: [Int]) {
    let bytes = values.flatMap { value -> [UInt8] in
      func little(_ bits: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: bits.littleEndian) { Array($0) }
      }
      switch type {
      case .f16: return little(Float16(value).bitPattern)
      case .bf16: return little(UInt16(Float(value).bitPattern >> 16))
      default: return little(Float(value).bitPattern)
      }
    }
    self.init(dtype: type, shape: shape, bytes: bytes)
  }
}
