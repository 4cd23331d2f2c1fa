import MoscCodegen
import MoscLLVM

/// A kernel compiled for one processor and linked into this process.
struct CompiledKernel {
  let function: KernelFunction
  let object: [UInt8]

  /// Runs tasks `tasks` over buffers.
  func run(_ buffers: [Memory], tasks: Range<Int>) {
    let pointers: [UnsafeMutableRawPointer?] = buffers.map(\.pointer)
    // The compiler sees no use of the buffers behind the pointers.
    withExtendedLifetime(buffers) {
      pointers.withUnsafeBufferPointer {
        guard let base = $0.baseAddress else { return }
        function(base, tasks.lowerBound, tasks.upperBound)
      }
    }
  }
}

/// The process-wide linker of these tests.
enum Linker {
  static let shared = Linker.make()

  final class Session: @unchecked Sendable {
    let jit: JIT
    init() throws { jit = try JIT() }
  }

  static func make() -> Result<Session, any Error> { Result { try Session() } }
}

/// Compiles what `write` writes as kernel `k` and links it.
func compile(
  for facts: TargetFacts, library: String = "\(#fileID)-\(UInt64.random(in: 0...UInt64.max))",
  _ write: (FunctionEmitter) throws -> Void
) throws -> CompiledKernel {
  let machine = try TargetMachine(facts: facts)
  let module = LLVMModule(name: "test", target: machine)
  let emitter = FunctionEmitter(module.builder, target: facts)
  try write(emitter)
  try emitter.finish()
  try module.optimise(for: machine)
  let object = try module.object(for: machine)
  let function = try Linker.shared.get().jit.add(object: object, symbol: "k", library: library)
  return CompiledKernel(function: function, object: object)
}

/// The processors most tests compile for: this one and AVX2, if it runs here.
let testTargets: [TargetFacts] = runnable(["native", "x86-64-v3"])
/// Every level of vector instructions that this machine can run.
let allTargets: [TargetFacts] = runnable(["native", "x86-64-v4", "x86-64-v3", "x86-64-v2"])

private func runnable(_ names: [String]) -> [TargetFacts] {
  names.compactMap { try? TargetFacts(cpu: $0) }.filter(\.runsOnHost)
}

/// Zeroed memory with a guard pattern behind it that catches stores past the end.
final class Memory {
  let pointer: UnsafeMutableRawPointer
  let byteCount: Int
  private let allocation: UnsafeMutableRawPointer
  private static let guardBytes = 256
  private static let guardValue: UInt8 = 0xa5

  /// - Parameter misalignment: bytes added to a 64-byte aligned address.
  init(bytes: Int, misalignment: Int = 0) {
    byteCount = bytes
    let total = bytes + misalignment + Self.guardBytes
    allocation = .allocate(byteCount: total, alignment: 64)
    pointer = allocation + misalignment
    pointer.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    (pointer + bytes).initializeMemory(
      as: UInt8.self, repeating: Self.guardValue, count: Self.guardBytes)
  }

  convenience init(_ values: [Float], misalignment: Int = 0) {
    self.init(bytes: values.count * 4, misalignment: misalignment)
    values.withUnsafeBytes { pointer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
  }

  convenience init(_ values: [UInt16], misalignment: Int = 0) {
    self.init(bytes: values.count * 2, misalignment: misalignment)
    values.withUnsafeBytes { pointer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
  }

  deinit { allocation.deallocate() }

  func floats() -> [Float] { array(of: Float.self) }
  func halves() -> [UInt16] { array(of: UInt16.self) }
  func bytes() -> [UInt8] { array(of: UInt8.self) }
  private func array<T: BitwiseCopyable>(of: T.Type) -> [T] {
    (0..<(byteCount / MemoryLayout<T>.size)).map {
      pointer.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self)
    }
  }

  /// Whether nothing was stored behind the end.
  var isGuardIntact: Bool {
    (0..<Self.guardBytes).allSatisfy {
      pointer.load(fromByteOffset: byteCount + $0, as: UInt8.self) == Self.guardValue
    }
  }
}

/// bf16 bits of a float, ties to even.
func bf16(_ x: Float) -> UInt16 {
  let bits = x.bitPattern
  return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16)
}
/// The float that bf16 bits mean.
func float(bf16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }
