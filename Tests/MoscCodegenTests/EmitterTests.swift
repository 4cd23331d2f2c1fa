import Foundation
import MoscCodegen
import MoscFuzz
import MoscIR
import MoscLLVM
import Testing

@Suite struct EmitterTests {
  /// Finite, boundary and special f32 bit patterns.
  static let patterns: [Float] = {
    var numbers = SeededNumbers(3)
    var values = numbers.floats(1000, in: -70_000...70_000)
    values += numbers.floats(1000, in: -1...1)
    values += numbers.floats(1000, in: -1e-4...1e-4)
    values += numbers.floats(400, in: -1e-7...1e-7)
    values += [0, -0.0, .infinity, -.infinity, .nan, 65504, 65519, 65520, 1.0009765, 3e38, 1e-8]
    values += (0..<29).map { Float(1) + Float($0) * 0x1p-9 }
    while values.count % 16 != 0 { values.append(1) }
    return values
  }()

  @Test(arguments: [DType.bf16, .f16])
  func convertsLikeTheSwiftTypes(_ dtype: DType) throws {
    for facts in allTargets {
      let lanes = facts.lanes
      let kernel = try compile(for: facts) { e in
        e.kernel("k", buffers: 3) { task, buffers in
          let index = e.mul(task, lanes)
          let x = e.load(.f32, e.element(buffers[0], index, .f32), lanes: lanes)
          e.store(x, as: dtype, e.element(buffers[1], index, dtype))
          let y = e.load(dtype, e.element(buffers[1], index, dtype), lanes: lanes)
          e.store(y, as: .f32, e.element(buffers[2], index, .f32))
        }
      }
      let count = Self.patterns.count
      let narrow = Memory(bytes: count * 2, misalignment: 2)
      let wide = Memory(bytes: count * 4, misalignment: 4)
      kernel.run([Memory(Self.patterns), narrow, wide], tasks: 0..<(count / lanes))
      for (x, y) in zip(Self.patterns, wide.floats()) {
        let expected = Float(dtype.round(Double(x)))
        #expect(
          y == expected || (y.isNaN && expected.isNaN), "\(facts.cpu) \(dtype) \(x): \(y)")
      }
    }
  }

  @Test func integersSaturate() throws {
    let inputs: [Float] = [-300, -129, -128, -1.9, -0.5, 0, 0.5, 1.9, 127, 128, 255, 256, 1e10]
    let padded = inputs + [.nan, -1e10, 3]
    for facts in allTargets {
      for dtype in [DType.u8, .i8, .i32] {
        let kernel = try compile(for: facts) { e in
          e.kernel("k", buffers: 2) { _, buffers in
            for part in stride(from: 0, to: 16, by: 4) {
              let x = e.load(.f32, e.offset(buffers[0], bytes: part * 4), lanes: 4)
              let raw = e.fromF32(x, to: dtype)
              e.store(
                e.toF32(raw, from: dtype), as: .f32, e.offset(buffers[1], bytes: part * 4))
            }
          }
        }
        let output = Memory(bytes: 64)
        kernel.run([Memory(padded), output], tasks: 0..<1)
        for (x, y) in zip(padded, output.floats()) {
          #expect(Double(y) == Double(Float(dtype.round(Double(x)))), "\(facts.cpu) \(dtype) \(x)")
        }
      }
    }
  }

  @Test func tailsTouchNothingElse() throws {
    for facts in testTargets {
      for dtype in [DType.f32, .bf16, .f16] {
        for count in [1, facts.lanes / 2, facts.lanes - 1] {
          let kernel = try compile(for: facts) { e in
            e.kernel("k", buffers: 2) { _, buffers in
              let x = e.load(dtype, buffers[0], lanes: facts.lanes, count: count)
              e.store(e.fadd(x, x), as: dtype, buffers[1], count: count)
            }
          }
          let size = dtype.byteSize
          let input = Memory(bytes: count * size)
          let output = Memory(bytes: count * size)
          kernel.run([input, output], tasks: 0..<1)
          #expect(output.isGuardIntact, "\(facts.cpu) \(dtype) \(count)")
        }
      }
    }
  }

  @Test func loopsCountAndCarry() throws {
    let facts = try TargetFacts(cpu: "native")
    // out[i] = sum over j < in[i] of j, for in[i] of 0, 1 and 10; plus a branch on evenness.
    let kernel = try compile(for: facts) { e in
      e.kernel("k", buffers: 2) { task, buffers in
        let count = e.builder.cast(
          .zext, e.builder.load(e.intType(1), e.element(buffers[0], task, .i32), align: 4),
          e.int(0).type)
        let sum = e.loop(from: e.int(0), to: count, carrying: [e.int(0)]) { j, carried in
          [e.add(carried[0], j)]
        }
        let even = e.builder.compare(.equal, e.rem(count, 2), e.int(0))
        let result = e.branch(if: even) { [e.mul(sum[0], 2)] } else: { [sum[0]] }
        let narrow = e.builder.cast(.trunc, result[0], e.intType(1))
        e.builder.store(narrow, e.element(buffers[1], task, .i32), align: 4)
      }
    }
    let input = Memory(bytes: 16)
    for (i, n) in [0, 1, 10, 11].enumerated() {
      input.pointer.storeBytes(of: Int32(n), toByteOffset: i * 4, as: Int32.self)
    }
    let output = Memory(bytes: 16)
    kernel.run([input, output], tasks: 1..<4)
    kernel.run([input, output], tasks: 0..<1)
    let values = (0..<4).map { output.pointer.load(fromByteOffset: $0 * 4, as: Int32.self) }
    #expect(values == [0, 0, 90, 55])
  }

  @Test func sumsLanesPairwise() throws {
    for facts in testTargets {
      let kernel = try compile(for: facts) { e in
        e.kernel("k", buffers: 2) { _, buffers in
          let x = e.load(.f32, buffers[0], lanes: e.lanes)
          e.store(e.sumLanes(x), as: .f32, buffers[1])
          e.store(e.maxLanes(x), as: .f32, e.offset(buffers[1], bytes: 4))
        }
      }
      let output = Memory(bytes: 8)
      kernel.run([Memory((1...facts.lanes).map(Float.init)), output], tasks: 0..<1)
      let n = Float(facts.lanes)
      #expect(output.floats() == [n * (n + 1) / 2, n])
    }
  }
}

@Suite struct LLVMTests {
  @Test func namesTheKnownProcessors() {
    #expect(throws: LLVMError.unknownCPU("pentium9")) { try TargetFacts(cpu: "pentium9") }
    #expect(LLVMError.unknownCPU("pentium9").description.contains("x86-64-v3"))
    #expect(LLVMVersion.current.hasPrefix("19."))
  }

  @Test func levelsFollowTheProcessor() throws {
    let names = ["znver4", "x86-64-v4", "x86-64-v3", "x86-64-v2"]
    let facts = try names.map { try TargetFacts(cpu: $0) }
    #expect(facts.map(\.lanes) == [16, 16, 8, 4])
    #expect(facts.map(\.vectorRegisters) == [32, 32, 16, 16])
    #expect(facts.map(\.hasBF16Dot) == [true, false, false, false])
  }

  @Test func refusesBrokenModulesAndObjects() throws {
    let machine = try TargetMachine()
    let module = LLVMModule(name: "broken", target: machine)
    let e = FunctionEmitter(module.builder, target: machine.facts)
    e.define("f", []) { _ in e.int(3) }
    #expect(throws: LLVMError.self) { try module.verify() }
    e.call("llvm.no.such.thing", [], [e.int(1)])
    #expect(throws: LLVMError.unknownIntrinsic("llvm.no.such.thing")) { try e.finish() }
    let jit = try JIT()
    #expect(throws: LLVMError.self) {
      try jit.add(object: [1, 2, 3, 4], symbol: "k", library: "garbage")
    }
  }

  @Test func linksEqualNamesAndReportsMissingOnes() throws {
    let machine = try TargetMachine()
    let jit = try JIT()
    var functions: [KernelFunction] = []
    for value in [1.0, 2.0] {
      let module = LLVMModule(name: "m", target: machine)
      let e = FunctionEmitter(module.builder, target: machine.facts)
      e.kernel("k", buffers: 1) { _, buffers in e.store(e.float(value), as: .f32, buffers[0]) }
      #expect(module.text.contains("define void @k"))
      try module.optimise(for: machine)
      #expect(try module.assembly(for: machine).contains("k:"))
      let object = try module.object(for: machine)
      functions.append(try jit.add(object: object, symbol: "k", library: "m\(value)"))
      #expect(throws: LLVMError.self) {
        try jit.add(object: object, symbol: "absent", library: "absent\(value)")
      }
      #expect(throws: LLVMError.self) {
        try jit.add(object: object, symbol: "k", library: "m\(value)")
      }
    }
    let memory = Memory(bytes: 4)
    for (function, expected) in zip(functions, [Float(1), 2]) {
      CompiledKernel(function: function, object: []).run([memory], tasks: 0..<1)
      #expect(memory.floats() == [expected])
    }
  }
}
