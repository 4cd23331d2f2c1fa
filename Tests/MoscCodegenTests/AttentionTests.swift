import Foundation
import MoscCodegen
import MoscFuzz
import MoscIR
import MoscLLVM
import MoscPasses
import Testing

/// One random attention on one processor, run and compared with plain f64 loops.
struct AttentionTrial {
  var spec: AttentionSpec
  var facts: TargetFacts
  var amplitude: Float = 2
  /// The error allowed for f32 operands.
  var tolerance = 4e-6

  private func elements(_ operand: AttentionOperand, _ tokens: Int) -> Int {
    operand.offset + (spec.batch - 1) * operand.batchPitch + (tokens - 1) * operand.tokenPitch
      + (spec.heads - 1) * operand.headPitch + spec.depth
  }

  private func memory(_ values: [Float], _ dtype: DType) -> Memory {
    switch dtype {
    case .bf16: Memory(values.map(bf16), misalignment: 2)
    case .f16: Memory(values.map { Float16($0).bitPattern }, misalignment: 2)
    default: Memory(values, misalignment: 4)
    }
  }

  func run() throws {
    let s = spec
    let kernel = try compile(for: facts) { e in
      try e.kernel("k", buffers: 4) { task, p in
        try AttentionKernel.emit(
          e, s, task: task, queries: p[0], keys: p[1], values: p[2], output: p[3])
      }
    }
    var numbers = SeededNumbers(UInt64(s.flops + 1))
    func random(_ operand: AttentionOperand, _ tokens: Int) -> [Float] {
      numbers.floats(elements(operand, tokens), in: -amplitude...amplitude)
        .map { Float(operand.dtype.round(Double($0))) }
    }
    let q = random(s.queries, s.queryCount)
    let k = random(s.keys, s.keyCount)
    let v = random(s.values, s.keyCount)
    let output = Memory(
      bytes: elements(s.output, s.queryCount) * s.output.dtype.byteSize,
      misalignment: s.output.dtype.byteSize)
    let buffers = [
      memory(q, s.queries.dtype), memory(k, s.keys.dtype), memory(v, s.values.dtype), output,
    ]
    let tasks = AttentionKernel.tasks(s, facts)
    kernel.run(buffers, tasks: 0..<tasks)
    #expect(output.isGuardIntact)
    let whole = output.bytes()
    for task in (0..<tasks).reversed() { kernel.run(buffers, tasks: task..<(task + 1)) }
    #expect(output.bytes() == whole, "bits depend on the split of tasks")

    let y =
      s.output.dtype == .f32 ? output.floats() : output.halves().map { float(bf16: $0) }
    func index(_ operand: AttentionOperand, _ b: Int, _ token: Int, _ h: Int) -> Int {
      operand.offset + b * operand.batchPitch + token * operand.tokenPitch + h * operand.headPitch
    }
    var worst = 0.0
    for b in 0..<s.batch {
      for h in 0..<s.heads {
        for i in 0..<s.queryCount where s.queryCount < 100 || i % 13 == 0 || i + 3 > s.queryCount {
          let visible = s.isCausal ? i + 1 + s.keyCount - s.queryCount : s.keyCount
          let qi = index(s.queries, b, i, h)
          var scores = (0..<visible).map { j in
            let kj = index(s.keys, b, j, h)
            return (0..<s.depth).reduce(0.0) { $0 + Double(q[qi + $1]) * Double(k[kj + $1]) }
              * Double(s.scale)
          }
          let top = scores.max() ?? 0
          scores = scores.map { Foundation.exp($0 - top) }
          let total = scores.reduce(0, +)
          for c in 0..<s.depth {
            let sum = (0..<visible).reduce(0.0) {
              $0 + scores[$1] * Double(v[index(s.values, b, $1, h) + c])
            }
            worst = max(worst, abs(sum / total - Double(y[index(s.output, b, i, h) + c])))
          }
        }
      }
    }
    let isExact = s.queries.dtype == .f32 && s.output.dtype == .f32
    #expect(worst < (isExact ? tolerance : 8e-3), "\(facts.cpu) \(spec): \(worst)")
  }
}

extension AttentionSpec {
  /// The spec in the blocks that would be chosen for a processor.
  fileprivate func chosen(for facts: TargetFacts) -> AttentionSpec {
    var spec = self
    spec.blocks = .choose(
      for: facts.irTarget, heads: batch * heads, depth: depth, queries: queryCount, keys: keyCount)
    return spec
  }
}

@Suite struct AttentionTests {
  /// Blocks for specs that are chosen for a processor later.
  private static let undecided = AttentionBlocks(queries: 16, keys: 4, group: 1)

  /// batch, heads, depth, queries, keys
  static let shapes = [
    [2, 3, 40, 128, 128], [1, 2, 64, 77, 77], [2, 1, 80, 64, 77], [1, 1, 160, 30, 64],
    [1, 1, 512, 70, 70], [1, 2, 8, 13, 13], [1, 1, 4, 1, 1], [3, 2, 6, 16, 5], [1, 1, 2, 3, 200],
    [1, 4, 16, 300, 9], [1, 1, 24, 17, 131],
  ]

  @Test(arguments: shapes, [DType.f32, .bf16])
  func attends(_ n: [Int], _ dtype: DType) throws {
    for facts in testTargets {
      let spec = AttentionSpec(
        queries: [n[0], n[3], n[1] * n[2]], keys: n[4], heads: n[1], dtype: dtype,
        blocks: Self.undecided
      ).chosen(for: facts)
      try AttentionTrial(spec: spec, facts: facts).run()
    }
  }

  @Test(arguments: [[1, 2, 64, 77, 77], [2, 1, 16, 130, 130], [1, 1, 8, 5, 9], [1, 1, 8, 70, 90]])
  func masksCausally(_ n: [Int]) throws {
    for facts in testTargets {
      for dtype in [DType.f32, .bf16] {
        let spec = AttentionSpec(
          queries: [n[0], n[3], n[1] * n[2]], keys: n[4], heads: n[1], dtype: dtype,
          isCausal: true, output: dtype, blocks: Self.undecided
        ).chosen(for: facts)
        try AttentionTrial(spec: spec, facts: facts).run()
      }
    }
  }

  @Test func readsViewsAndMixedTypes() throws {
    for facts in allTargets {
      // Queries, keys and values side by side in one row, depth 5: no pairs.
      for (q, k) in [(DType.bf16, DType.bf16), (.f32, .f16)] {
        var spec = AttentionSpec(
          queries: [2, 21, 15], keys: 19, heads: 3, dtype: q, blocks: Self.undecided
        ).chosen(for: facts)
        spec.scale = 0.3
        spec.queries = .init(q, offset: 2, tokenPitch: 45, batchPitch: 45 * 21, headPitch: 5)
        spec.keys = .init(k, offset: 15, tokenPitch: 45, batchPitch: 45 * 19, headPitch: 5)
        spec.values = .init(k, offset: 30, tokenPitch: 47, batchPitch: 47 * 20, headPitch: 6)
        spec.output = .init(.f32, offset: 1, tokenPitch: 15, batchPitch: 15 * 21, headPitch: 5)
        try AttentionTrial(spec: spec, facts: facts).run()
      }
    }
  }

  @Test func runsOnEveryLevel() throws {
    for facts in allTargets {
      let spec = AttentionSpec(
        queries: [1, 35, 20], keys: 67, heads: 2, dtype: .bf16, output: .bf16,
        blocks: Self.undecided
      ).chosen(for: facts)
      try AttentionTrial(spec: spec, facts: facts).run()
    }
  }

  @Test(arguments: [[16, 4, 1], [32, 20, 3], [64, 64, 4], [16, 128, 2]])
  func acceptsEveryBlock(_ n: [Int]) throws {
    for facts in testTargets {
      for dtype in [DType.f32, .bf16] {
        let spec = AttentionSpec(
          queries: [1, 75, 40], keys: 130, heads: 2, dtype: dtype,
          blocks: .init(queries: n[0], keys: n[1], group: n[2]))
        try AttentionTrial(spec: spec, facts: facts).run()
      }
    }
  }

  @Test func survivesLargeScores() throws {
    for facts in testTargets {
      var spec = AttentionSpec(
        queries: [1, 33, 16], keys: 150, heads: 1, dtype: .f32, blocks: Self.undecided
      ).chosen(for: facts)
      // Scores of about 200 carry an f32 rounding error of 2e-5 into the exponent.
      spec.scale = 1
      try AttentionTrial(spec: spec, facts: facts, amplitude: 5, tolerance: 1e-4).run()
    }
  }

  @Test func refusesEmptyExtents() throws {
    let machine = try TargetMachine(cpu: "x86-64-v3")
    let module = LLVMModule(name: "refused", target: machine)
    let e = FunctionEmitter(module.builder, target: machine.facts)
    let spec = AttentionSpec(
      queries: [1, 2, 4], keys: 2, heads: 0, dtype: .f32, blocks: Self.undecided)
    #expect(throws: EmitError.self) {
      try e.kernel("k", buffers: 4) { task, p in
        try AttentionKernel.emit(
          e, spec, task: task, queries: p[0], keys: p[1], values: p[2], output: p[3])
      }
    }
  }
}
