import MoscCodegen
import MoscFuzz
import MoscIR
import MoscLLVM
import MoscPasses
import Testing

/// The processor facts as passes see them.
extension TargetFacts {
  var irTarget: Target {
    Target(lanes: lanes, vectorRegisters: vectorRegisters, hasBF16Dot: hasBF16Dot)
  }
}

/// Weights `[n, ci, kh, kw]` in panels: the layout of `Pack`, by its definition.
func packed(
  _ w: [Float], columns n: Int, channels ci: Int, taps: Int, panel: Int, lanes: Int, dtype: DType
) -> Memory {
  let depth = taps * ci
  let type = TensorType(dtype, [n, ci, taps, 1], layout: .panel(panel))
  var words = [Float](repeating: 0, count: type.byteCount(lanes: lanes) / dtype.byteSize)
  for column in 0..<n {
    let p = column / panel
    let rest = (min(n - p * panel, panel) + lanes - 1) / lanes * lanes
    for tap in 0..<taps {
      for c in 0..<ci {
        let k = tap * ci + c
        let j = column % panel
        let index = dtype == .f32 ? k * rest + j : k / 2 * rest * 2 + j * 2 + k % 2
        words[p * panel * depth + index] = w[(column * ci + c) * taps + tap]
      }
    }
  }
  return dtype == .f32 ? Memory(words) : Memory(words.map(bf16))
}

/// One random contraction on one processor, run and compared with plain f64 loops.
struct ContractionTrial {
  var spec: ContractionSpec
  var facts: TargetFacts
  /// Bytes by which the input and result miss their vectors' alignment.
  var misalignment = 4

  func run() throws {
    let kernel = try compile(for: facts) { e in
      e.kernelOf(spec)
    }
    var numbers = SeededNumbers(UInt64(spec.flops))
    let s = spec
    let round: (Float) -> Float = { s.dtype == .bf16 ? float(bf16: bf16($0)) : $0 }
    let inputHeight = (s.outputHeight - 1) * s.stride + s.kernelHeight
    let inputCount = s.inputOffset + s.batch * max(s.imagePitch, inputHeight * s.rowPitch)
    let x = numbers.floats(inputCount).map(round)
    let taps = s.kernelHeight * s.kernelWidth
    let w = numbers.floats(s.columns * s.channels * taps).map(round)
    let bias = numbers.floats(s.columns)
    let residual = numbers.floats(s.rows * s.columns)
    let input =
      s.dtype == .f32
      ? Memory(x, misalignment: misalignment) : Memory(x.map(bf16), misalignment: misalignment)
    let weights = packed(
      w, columns: s.columns, channels: s.channels, taps: taps, panel: s.tile.columns,
      lanes: facts.lanes, dtype: s.dtype)
    let output = Memory(bytes: s.rows * s.columns * 4, misalignment: misalignment)
    let buffers = [
      input, weights, Memory(bias, misalignment: 4), Memory(residual, misalignment: 4), output,
    ]
    let tasks = ContractionKernel.tasks(spec, facts)
    kernel.run(buffers, tasks: 0..<tasks)
    let whole = output.bytes()
    #expect(output.isGuardIntact)
    for task in (0..<tasks).reversed() { kernel.run(buffers, tasks: task..<(task + 1)) }
    #expect(output.bytes() == whole, "bits depend on the split of tasks")

    var worst = 0.0
    let y = output.floats()
    for m in 0..<s.rows {
      let (image, oy, ox) = (
        m / s.outputWidth / s.outputHeight, m / s.outputWidth % s.outputHeight, m % s.outputWidth
      )
      for n in 0..<s.columns where s.flops < 4_000_000 || (m * 31 + n) % 97 == 0 {
        var sum = Double(bias[n])
        for ky in 0..<s.kernelHeight {
          for kx in 0..<s.kernelWidth {
            let start =
              s.inputOffset + image * s.imagePitch + (oy * s.stride + ky) * s.rowPitch
              + (ox * s.stride + kx) * s.pixelPitch
            for c in 0..<s.channels {
              let tap = ky * s.kernelWidth + kx
              sum += Double(x[start + c]) * Double(w[(n * s.channels + c) * taps + tap])
            }
          }
        }
        sum += Double(residual[m * s.columns + n])
        worst = max(worst, abs(Double(y[m * s.columns + n]) - sum))
      }
    }
    #expect(worst < 3e-6 * Double(s.depth + 1).squareRoot(), "\(facts.cpu) \(spec): \(worst)")
  }
}

extension FunctionEmitter {
  /// A kernel `(a, b, bias, residual, y)` with both additions in the epilogue.
  func kernelOf(_ spec: ContractionSpec) {
    do {
      try kernel("k", buffers: 5) { task, p in
        try ContractionKernel.emit(self, spec, task: task, a: p[0], b: p[1]) { e, result in
          let index = e.add(e.mul(result.row, spec.columns), result.column)
          let count = result.count
          let more = e.load(
            .f32, e.element(p[3], index, .f32), lanes: e.lanes, count: count)
          let bias = e.load(
            .f32, e.element(p[2], result.column, .f32), lanes: e.lanes, count: count)
          e.store(
            e.fadd(e.fadd(result.value, bias), more), as: .f32, e.element(p[4], index, .f32), count: count)
        }
      }
    } catch { Issue.record(error) }
  }
}

@Suite struct ContractionTests {
  /// The sum of two products, of which the second is narrow, as of a layer and its adapter.
  @Test(arguments: [(77, 96, 100, 16), (128, 700, 80, 64), (5, 8, 16, 700)], [DType.f32, .bf16])
  func addsASecondProduct(_ shape: (Int, Int, Int, Int), _ dtype: DType) throws {
    let (rows, depth, columns, narrow) = shape
    for facts in testTargets {
      let tile = Tile.choose(
        for: facts.irTarget, dtype: dtype, rows: rows, columns: columns, depth: depth)
      let spec = ContractionSpec(
        linearRows: rows, depth: depth, columns: columns, dtype: dtype, tile: tile)
      var second = ContractionSpec(
        linearRows: rows, depth: narrow, columns: columns, dtype: dtype, tile: tile)
      second.tile.blockDepth = max(min(narrow, 640), 16)
      let kernel = try compile(for: facts) { e in
        do {
          try e.kernel("k", buffers: 5) { task, p in
            try ContractionKernel.emit(
              e, spec, task: task, a: p[0], b: p[1],
              continuation: ContractionKernel.Continuation(second, a: p[2], b: p[3])
            ) { e, result in
              let index = e.add(e.mul(result.row, columns), result.column)
              e.store(result.value, as: .f32, e.element(p[4], index, .f32), count: result.count)
            }
          }
        } catch { Issue.record(error) }
      }
      var numbers = SeededNumbers(5)
      let round: (Float) -> Float = { dtype == .bf16 ? float(bf16: bf16($0)) : $0 }
      let factors = [(depth, rows), (depth, columns), (narrow, rows), (narrow, columns)].map {
        numbers.floats($0.0 * $0.1).map(round)
      }
      func input(_ values: [Float]) -> Memory {
        dtype == .f32 ? Memory(values, misalignment: 4) : Memory(values.map(bf16), misalignment: 4)
      }
      func weights(_ values: [Float], _ depth: Int) -> Memory {
        packed(
          values, columns: columns, channels: depth, taps: 1, panel: tile.columns, lanes: facts.lanes,
          dtype: dtype)
      }
      let output = Memory(bytes: rows * columns * 4, misalignment: 4)
      kernel.run(
        [input(factors[0]), weights(factors[1], depth), input(factors[2]), weights(factors[3], narrow), output],
        tasks: 0..<ContractionKernel.tasks(spec, facts))
      #expect(output.isGuardIntact)
      let y = output.floats()
      var worst = 0.0
      for m in 0..<rows {
        for n in 0..<columns {
          var sum = 0.0
          for k in 0..<depth { sum += Double(factors[0][m * depth + k]) * Double(factors[1][n * depth + k]) }
          for k in 0..<narrow { sum += Double(factors[2][m * narrow + k]) * Double(factors[3][n * narrow + k]) }
          worst = max(worst, abs(Double(y[m * columns + n]) - sum))
        }
      }
      #expect(worst < 3e-6 * Double(depth + narrow).squareRoot(), "\(facts.cpu) \(shape): \(worst)")
    }
  }

  /// (rows, depth, columns)
  static let linears = [
    (1, 4, 1), (2, 320, 320), (3, 7, 5), (7, 64, 16), (77, 768, 100), (154, 96, 330),
    (130, 700, 24),
    (64, 1284, 33), (5, 2, 80),
  ]

  @Test(arguments: linears, [DType.f32, .bf16])
  func multipliesMatrices(_ shape: (Int, Int, Int), _ dtype: DType) throws {
    let (rows, depth, columns) = shape
    if dtype == .bf16 && depth % 2 != 0 { return }
    for facts in testTargets {
      let tile = Tile.choose(
        for: facts.irTarget, dtype: dtype, rows: rows, columns: columns, depth: depth)
      let spec = ContractionSpec(
        linearRows: rows, depth: depth, columns: columns, dtype: dtype, tile: tile)
      try ContractionTrial(spec: spec, facts: facts).run()
    }
  }

  /// batch, output height and width, kernel, stride, channels, columns
  static let convolutions: [[Int]] = [
    [1, 8, 8, 3, 1, 4, 20], [2, 5, 7, 3, 1, 16, 3], [2, 4, 4, 3, 2, 8, 40],
    [1, 6, 12, 1, 1, 10, 96],
    [1, 3, 5, 3, 1, 400, 17], [2, 8, 8, 3, 1, 64, 80], [1, 9, 1, 2, 1, 6, 8],
    [3, 1, 1, 3, 1, 130, 16],
  ]

  @Test(arguments: convolutions, [DType.f32, .bf16])
  func convolves(_ n: [Int], _ dtype: DType) throws {
    for facts in testTargets {
      let tile = Tile.choose(
        for: facts.irTarget, dtype: dtype, rows: n[0] * n[1] * n[2], columns: n[6],
        depth: n[3] * n[3] * n[5])
      let spec = ContractionSpec(
        image: [n[0], (n[1] - 1) * n[4] + n[3], (n[2] - 1) * n[4] + n[3], n[5]],
        filters: [n[6], n[5], n[3], n[3]], stride: n[4], dtype: dtype, tile: tile)
      try ContractionTrial(spec: spec, facts: facts, misalignment: dtype.byteSize).run()
    }
  }

  @Test(arguments: [DType.f32, .bf16])
  func readsSlicesOfWiderTensors(_ dtype: DType) throws {
    for facts in allTargets {
      let tile = Tile.choose(
        for: facts.irTarget, dtype: dtype, rows: 24, columns: 48, depth: 90)
      var spec = ContractionSpec(
        image: [2, 6, 5, 10], filters: [48, 10, 3, 3], dtype: dtype, tile: tile)
      spec.pixelPitch = 26
      spec.rowPitch = 26 * 7
      spec.imagePitch = 26 * 7 * 6 + 13
      spec.inputOffset = 9
      try ContractionTrial(spec: spec, facts: facts).run()
    }
  }

  @Test func acceptsEveryTile() throws {
    let facts = try TargetFacts(cpu: "native")
    for (rows, vectors) in [(1, 1), (2, 3), (4, 5), (6, 4), (8, 2), (14, 1)] {
      let width = vectors * facts.lanes
      let tile = Tile(
        rows: rows, columns: width, blockRows: rows * 3, blockColumns: width * 2,
        blockDepth: 24)
      let spec = ContractionSpec(
        image: [1, 9, 10, 22], filters: [5 * facts.lanes + 3, 22, 3, 3], dtype: .f32, tile: tile)
      try ContractionTrial(spec: spec, facts: facts).run()
    }
  }

  @Test func refusesWhatItCannotDo() throws {
    let facts = try TargetFacts(cpu: "x86-64-v3")
    let tile = Tile(rows: 6, columns: 16, blockRows: 12, blockColumns: 16, blockDepth: 64)
    let machine = try TargetMachine(facts: facts)
    let module = LLVMModule(name: "refused", target: machine)
    let e = FunctionEmitter(module.builder, target: facts)
    func emit(_ spec: ContractionSpec) throws {
      try e.kernel("k", buffers: 2) { task, p in
        try ContractionKernel.emit(e, spec, task: task, a: p[0], b: p[1]) { _, _ in }
      }
    }
    var spec = ContractionSpec(linearRows: 4, depth: 7, columns: 16, dtype: .bf16, tile: tile)
    #expect(throws: EmitError.self) { try emit(spec) }
    spec = ContractionSpec(linearRows: 4, depth: 8, columns: 16, dtype: .f32, tile: tile)
    spec.tile.columns = 12
    #expect(throws: EmitError.self) { try emit(spec) }
    spec.tile = tile
    spec.tile.blockRows = 13
    #expect(throws: EmitError.self) { try emit(spec) }
    spec.tile = tile
    spec.columns = 0
    #expect(throws: EmitError.self) { try emit(spec) }
  }
}
