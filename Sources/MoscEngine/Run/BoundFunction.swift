import MoscIR
import MoscReport
import MoscRuntime

/// A linked function with memory for every external buffer.
package struct BoundFunction {
  package let function: LinkedFunction
  /// Keeps alive what the pointers point to.
  private let owners: [AlignedBuffer]
  private let launches: LaunchTable
  /// The buffers of the results by name.
  package let outputs: [String: AlignedBuffer]

  /// Binds inputs to given buffers, weights to their files, and allocates the results.
  ///
  /// - Parameters:
  ///   - results: the memory of results that are not to be allocated.
  ///   - arena: the memory of intermediate values.
  ///   - prepares: whether weights are prepared before the launches that read them.
  package init(
    _ function: LinkedFunction, inputs: [String: AlignedBuffer], weights: WeightFiles,
    results: [String: AlignedBuffer] = [:], arena: AlignedBuffer?, prepares: Bool = false
  ) throws {
    self.function = function
    var owners: [AlignedBuffer] = []
    var pointers: [UnsafeMutableRawPointer] = []
    var outputs: [String: AlignedBuffer] = [:]
    func own(_ buffer: AlignedBuffer) {
      owners.append(buffer)
      pointers.append(buffer.address)
    }
    for external in function.externals {
      switch external {
      case .input(let name):
        guard let buffer = inputs[name] else {
          throw CommandError.failure("'@\(function.name)' needs '%\(name)', which nothing computes")
        }
        own(buffer)
      case .output(let index):
        let output = function.outputs[index]
        let buffer =
          try results[output.name] ?? AlignedBuffer(byteCount: output.type.byteCount())
        outputs[output.name] = buffer
        own(buffer)
      case .weight(let weight):
        let bytes = try weights.memory(of: weight, isPrepared: prepares)
        let alignment = weight.type.dtype.byteSize
        if let base = bytes.baseAddress, Int(bitPattern: base) % alignment == 0 {
          // Kernels never write their inputs.
          pointers.append(UnsafeMutableRawPointer(mutating: base))
        } else {
          // Files may place tensors anywhere; kernels count on whole elements.
          let copy = try AlignedBuffer(byteCount: bytes.count)
          copy.address.copyMemory(from: bytes.baseAddress ?? UnsafeRawPointer(copy.address),
            byteCount: bytes.count)
          own(copy)
        }
      case .constant(let constant):
        own(try AlignedBuffer(constant))
      }
    }
    if let arena { owners.append(arena) }
    self.owners = owners
    launches = try function.executable.bind(externals: pointers, arena: arena?.address)
    self.outputs = outputs
  }

  /// Runs every launch.
  ///
  /// - Parameters:
  ///   - skipped: launches whose results are there already.
  ///   - isCancelled: asked between launches whether to stop.
  ///   - observe: called after each launch with its index and seconds.
  ///   - prepare: called before each launch with its index.
  package func run(
    pool: ThreadPool, skipping skipped: Set<Int> = [], isCancelled: (() -> Bool)? = nil,
    observe: ((Int, Double) -> Void)? = nil, preparing prepare: ((Int) -> Void)? = nil
  ) throws {
    do {
      try launches.run(
        on: pool, skipping: skipped, observe: observe, isCancelled: isCancelled, preparing: prepare)
    } catch {
      throw CommandError.interrupted
    }
  }
}

extension BoundFunction {
  /// Runs every launch and looks at what it writes.
  ///
  /// - Returns: the name of the first value that holds an infinity or no number.
  package func firstNonFinite(
    pool: ThreadPool, isCancelled: (() -> Bool)? = nil
  ) throws -> String? {
    var found: String?
    try run(pool: pool, isCancelled: isCancelled) { launch, _ in
      guard found == nil else { return }
      for result in self.function.written[launch] {
        guard let address = self.launches.address(launch: launch, argument: result.argument),
          !Self.isFinite(address, result.type)
        else { continue }
        found = "'%\(result.name)' \(result.type), written by "
          + "'@\(self.function.executable.launches[launch].kernel.name)'"
        return
      }
    }
    return found
  }

  /// Whether all numbers of a buffer are finite; the exponent of bf16 is that of f32.
  private static func isFinite(_ address: UnsafeMutableRawPointer, _ type: TensorType) -> Bool {
    let count = type.byteCount() / type.dtype.byteSize
    switch type.dtype {
    case .f32:
      let numbers = address.assumingMemoryBound(to: Float.self)
      return (0..<count).allSatisfy { numbers[$0].isFinite }
    case .bf16:
      let numbers = address.assumingMemoryBound(to: UInt16.self)
      return (0..<count).allSatisfy { numbers[$0] & 0x7F80 != 0x7F80 }
    case .f16:
      let numbers = address.assumingMemoryBound(to: UInt16.self)
      return (0..<count).allSatisfy { numbers[$0] & 0x7C00 != 0x7C00 }
    case .i32, .u8, .i8: return true
    case .q8:
      return type.layout != .dense || (0..<type.rows).allSatisfy {
        QuantisedRow.scale(behindRow: $0, of: type, address).isFinite
      }
    }
  }
}
