import Foundation
import MoscCodegen
import MoscFuzz
import MoscIR
import MoscLLVM
import Testing

/// Compiles kernel graphs, runs them in this process and compares them with the evaluator.
enum KernelHarness {
  /// The two vector lengths that matter, as far as this machine has them.
  static let targets: [TargetFacts] = ["native", "x86-64-v3"]
    .compactMap { try? TargetFacts(cpu: $0) }.filter(\.runsOnHost)

  /// Seeded inputs for the parameters of a graph: floats up to a magnitude, small ids.
  static func inputs(_ graph: Graph, seed: UInt64, magnitude: Float = 2) -> [HostTensor] {
    var numbers = SeededNumbers(seed)
    return graph.parameters.map { id in
      let type = graph.type(id)
      let tensor = HostTensor(type) { _ in
        switch type.dtype {
        case .f32, .bf16, .f16, .q8: Double(Float.random(in: -magnitude...magnitude, using: &numbers))
        case .i32: Double(Int.random(in: -2...9, using: &numbers))
        case .u8: Double(Int.random(in: 0...1, using: &numbers))
        case .i8: Double(Int.random(in: -9...9, using: &numbers))
        }
      }
      return type.dtype == .q8 ? QuantisedHarness.rounded(tensor) : tensor
    }
  }

  /// Contraction weights in panels, written here from the definition of the layout.
  static func panels(_ tensor: HostTensor, _ width: Int, lanes: Int) -> Memory {
    let type = tensor.type
    if type.dtype == .q8 { return QuantisedHarness.panels(tensor, width, lanes: lanes) }
    let taps = type.shape.dropFirst(2).reduce(1, *)
    let depth = type.count / type.shape[0]
    let memory = Memory(bytes: type.byteCount(lanes: lanes))
    for (i, x) in tensor.elements.enumerated() {
      let (n, rest) = i.quotientAndRemainder(dividingBy: depth)
      let (channel, tap) = rest.quotientAndRemainder(dividingBy: taps)
      let k = tap * type.shape[1] + channel
      let position = panelPosition(n, k, type, width, lanes: lanes)
      if type.dtype == .f32 {
        memory.pointer.storeBytes(of: Float(x), toByteOffset: position * 4, as: Float.self)
      } else {
        memory.pointer.storeBytes(of: bf16(Float(x)), toByteOffset: position * 2, as: UInt16.self)
      }
    }
    return memory
  }

  static func memory(_ tensor: HostTensor, lanes: Int) -> Memory {
    if case .panel(let width) = tensor.type.layout { return panels(tensor, width, lanes: lanes) }
    if tensor.type.dtype == .q8 { return QuantisedHarness.rows(tensor) }
    let size = tensor.type.dtype.byteSize
    // One element off a cache line: files promise no more alignment than an element's.
    let memory = Memory(bytes: tensor.type.count * size, misalignment: size)
    for (i, x) in tensor.elements.enumerated() {
      let place = memory.pointer + i * size
      switch tensor.type.dtype {
      case .f32: place.storeBytes(of: Float(x), as: Float.self)
      case .bf16: place.storeBytes(of: UInt16(Float(x).bitPattern >> 16), as: UInt16.self)
      case .f16: place.storeBytes(of: Float16(x), as: Float16.self)
      case .i32: place.storeBytes(of: Int32(x), as: Int32.self)
      case .u8: place.storeBytes(of: UInt8(x), as: UInt8.self)
      case .i8: place.storeBytes(of: Int8(x), as: Int8.self)
      case .q8: break
      }
    }
    return memory
  }

  /// The position of weight `n` at depth `k` in panels, in elements.
  static func panelPosition(_ n: Int, _ k: Int, _ type: TensorType, _ width: Int, lanes: Int) -> Int
  {
    let depth = type.count / type.shape[0]
    let first = n / width * width
    let panel = min(width, (type.shape[0] - first + lanes - 1) / lanes * lanes)
    return type.dtype == .f32
      ? first * depth + k * panel + n - first
      : first * depth + (k / 2 * panel + n - first) * 2 + k % 2
  }

  static func tensor(_ memory: Memory, _ type: TensorType, lanes: Int) -> HostTensor {
    if type.dtype == .q8 { return QuantisedHarness.tensor(memory, type, lanes: lanes) }
    if case .panel(let width) = type.layout {
      let taps = type.shape.dropFirst(2).reduce(1, *)
      let depth = type.count / type.shape[0]
      return HostTensor(
        type,
        (0..<type.count).map { i -> Double in
          let (n, rest) = i.quotientAndRemainder(dividingBy: depth)
          let (channel, tap) = rest.quotientAndRemainder(dividingBy: taps)
          let k = tap * type.shape[1] + channel
          let position = panelPosition(n, k, type, width, lanes: lanes)
          let place = memory.pointer + position * type.dtype.byteSize
          return type.dtype == .f32
            ? Double(place.load(as: Float.self)) : Double(float(bf16: place.load(as: UInt16.self)))
        })
    }
    let size = type.dtype.byteSize
    return HostTensor(
      type,
      (0..<type.count).map { i -> Double in
        let place = memory.pointer + i * size
        switch type.dtype {
        case .f32: return Double(place.load(as: Float.self))
        case .bf16: return Double(Float(bitPattern: UInt32(place.load(as: UInt16.self)) << 16))
        case .f16: return Double(place.load(as: Float16.self))
        case .i32: return Double(place.load(as: Int32.self))
        case .u8: return Double(place.load(as: UInt8.self))
        case .i8: return Double(place.load(as: Int8.self))
        case .q8: return .nan
        }
      })
  }

  /// How tasks are handed out.
  enum Split { case together, singlyBackwards }

  /// The results of a compiled kernel for inputs of its parameter types.
  static func run(
    _ graph: Graph, _ function: KernelFunction, tasks: Int, _ inputs: [HostTensor],
    lanes: Int, _ split: Split = .together
  ) -> [HostTensor] {
    let buffers = inputs.map { memory($0, lanes: lanes) }
    let types = graph.results.map { graph.type($0) }
    let outputs = types.map { type in
      let isPacked = type.layout != .dense
      let memory = Memory(
        bytes: type.byteCount(lanes: lanes), misalignment: isPacked ? 0 : type.dtype.byteSize)
      memory.pointer.initializeMemory(as: UInt8.self, repeating: 0x7b, count: memory.byteCount)
      return memory
    }
    let all = buffers + outputs
    let pointers: [UnsafeMutableRawPointer?] = all.map(\.pointer)
    // The compiler sees no use of the buffers behind the pointers.
    withExtendedLifetime(all) {
      pointers.withUnsafeBufferPointer { list in
        guard let base = list.baseAddress else { return }
        switch split {
        case .together: function(base, 0, tasks)
        case .singlyBackwards: for task in (0..<tasks).reversed() { function(base, task, task + 1) }
        }
      }
    }
    for (output, type) in zip(outputs, types) {
      #expect(output.isGuardIntact, "stored past the end of a \(type)")
    }
    return withExtendedLifetime(outputs) {
      zip(outputs, types).map { tensor($0, $1, lanes: lanes) }
    }
  }

  /// What a comparison may differ by: `absolute + relative · |expected|`, and one step of the
  /// result's type when that is bf16 or f16 (a value near the middle may round either way).
  struct Bounds {
    var absolute = 2e-6
    var relative = 2e-6

    func allow(_ expected: Double, _ dtype: DType) -> Double {
      let step: Double =
        switch dtype {
        case .bf16: 0x1p-7
        case .f16: 0x1p-10
        case .f32: 0
        case .i32, .u8, .i8, .q8: 0
        }
      return absolute + (relative + step) * abs(expected)
    }
  }

  /// The first disagreement of the compiled kernel with the evaluator, or nil.
  static func disagreement(
    _ graph: Graph, facts: TargetFacts, seed: UInt64 = 1, bounds: Bounds = Bounds(),
    magnitude: Float = 2
  ) throws -> String? {
    let inputs = inputs(graph, seed: seed, magnitude: magnitude)
    let expected = try Evaluator(Module(stage: .kernel, graphs: [graph])).run(graph, inputs)
    let compiler = try KernelCompiler(CompilerOptions(facts: facts))
    guard let kernel = try compiler.compile([graph])[graph.name] else { return "no kernel" }
    let found = run(graph, kernel.function, tasks: kernel.taskCount, inputs, lanes: facts.lanes)
    let again = run(
      graph, kernel.function, tasks: kernel.taskCount, inputs, lanes: facts.lanes,
      .singlyBackwards)
    for (result, (want, have)) in zip(expected, found).enumerated() {
      if have.elements != again[result].elements,
        !zip(have.elements, again[result].elements).allSatisfy({ $0 == $1 || $0.isNaN && $1.isNaN })
      {
        return "result \(result) depends on the order of tasks"
      }
      for i in want.elements.indices {
        let (x, y) = (want.elements[i], have.elements[i])
        if x == y || (x.isNaN && y.isNaN) { continue }
        if abs(x - y) <= bounds.allow(x, want.type.dtype) { continue }
        return "result \(result) \(want.type) element \(i): found \(y), expected \(x)"
      }
    }
    return nil
  }
}

/// A kernel of one or a few ops.
func kernel(_ build: (inout Graph) throws -> [ValueID]) rethrows -> Graph {
  var graph = Graph("k", kind: .kernel)
  graph.results = try build(&graph)
  return graph
}
