import MoscCodegen
import MoscFuzz
import MoscIR
import MoscLLVM
import Testing

@Suite struct PackTests {
  /// columns, channels, taps, vectors of a panel
  static let shapes = [
    [1, 1, 1, 1], [320, 64, 1, 5], [37, 50, 1, 2], [3, 128, 9, 1], [100, 4, 9, 3], [48, 38, 9, 2],
    [17, 300, 4, 1], [64, 258, 1, 4],
  ]

  @Test(arguments: shapes, [DType.f32, .f16, .bf16])
  func matchesTheDefinition(_ shape: [Int], _ source: DType) throws {
    for facts in testTargets {
      for dtype in [DType.f32, .bf16] where dtype == .f32 || shape[1] % 2 == 0 {
        let spec = PackSpec(
          columns: shape[0], channels: shape[1], taps: shape[2], source: source, dtype: dtype,
          panel: shape[3] * facts.lanes)
        let kernel = try compile(for: facts) { e in
          try e.kernel("k", buffers: 2) { task, p in
            try PackKernel.emit(e, spec, task: task, source: p[0], panels: p[1])
          }
        }
        var numbers = SeededNumbers(11)
        let values = numbers.floats(spec.columns * spec.depth)
          .map { Float(source.round(Double($0))) }
        let dense: Memory =
          switch source {
          case .f32: Memory(values, misalignment: 1)
          case .bf16: Memory(values.map(bf16), misalignment: 3)
          default: Memory(values.map { Float16($0).bitPattern }, misalignment: 1)
          }
        let expected = packed(
          values, columns: spec.columns, channels: spec.channels, taps: spec.taps,
          panel: spec.panel, lanes: facts.lanes, dtype: dtype)
        let panels = Memory(bytes: expected.byteCount)
        panels.pointer.initializeMemory(as: UInt8.self, repeating: 0x5a, count: panels.byteCount)
        let tasks = PackKernel.tasks(spec, facts)
        for task in (0..<tasks).reversed() { kernel.run([dense, panels], tasks: task..<(task + 1)) }
        #expect(panels.bytes() == expected.bytes(), "\(facts.cpu) \(spec)")
        #expect(panels.isGuardIntact)
      }
    }
  }

  @Test func refusesWhatItCannotDo() throws {
    let machine = try TargetMachine(cpu: "x86-64-v3")
    let module = LLVMModule(name: "refused", target: machine)
    let e = FunctionEmitter(module.builder, target: machine.facts)
    for (channels, source, panel) in [(3, DType.f32, 8), (4, .i32, 8), (4, .f32, 12)] {
      let spec = PackSpec(
        columns: 8, channels: channels, taps: 1, source: source, dtype: .bf16, panel: panel)
      #expect(throws: EmitError.self) {
        try e.kernel("k", buffers: 2) { task, p in
          try PackKernel.emit(e, spec, task: task, source: p[0], panels: p[1])
        }
      }
    }
  }
}
