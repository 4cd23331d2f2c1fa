import MoscIR
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
  package init(
    _ function: LinkedFunction, inputs: [String: AlignedBuffer], weights: WeightFiles,
    results: [String: AlignedBuffer] = [:], arena: AlignedBuffer?
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
          throw DriverError.failure("'@\(function.name)' needs '%\(name)', which nothing computes")
        }
        own(buffer)
      case .output(let index):
        let output = function.outputs[index]
        let buffer =
          try results[output.name] ?? AlignedBuffer(byteCount: output.type.byteCount())
        outputs[output.name] = buffer
        own(buffer)
      case .weight(let weight):
        let bytes = try weights.memory(of: weight)
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
  ///   - observe: called after each launch with its index and seconds.
  package func run(
    pool: ThreadPool, skipping skipped: Set<Int> = [], observe: ((Int, Double) -> Void)? = nil
  ) throws {
    do {
      try launches.run(
        on: pool, skipping: skipped, observe: observe, isCancelled: { Interruption.isRequested })
    } catch is CancellationError {
      throw DriverError.interrupted
    }
  }
}

extension BoundFunction {
  /// Runs every launch and looks at what it writes.
  ///
  /// - Returns: the name of the first value that holds an infinity or no number.
  package func firstNonFinite(pool: ThreadPool) throws -> String? {
    var found: String?
    try run(pool: pool) { launch, _ in
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
    }
  }
}

extension BoundFunction: @unchecked Sendable {}

extension AlignedBuffer {
  /// The numbers of a constant in its element type.
  package convenience init(_ constant: Constant) throws {
    let type = constant.type
    try self.init(byteCount: type.byteCount())
    let values = constant.values
    write(type.dtype, type.count) { values[values.count == 1 ? 0 : $0] }
  }

  /// Stores numbers in an element type.
  func write(_ dtype: DType, _ count: Int, _ value: (Int) -> Double) {
    for index in 0..<count {
      let number = value(index)
      let place = address + index * dtype.byteSize
      switch dtype {
      case .f32: place.storeBytes(of: Float(number), as: Float.self)
      case .f16: place.storeBytes(of: Float16(number), as: Float16.self)
      case .bf16:
        let bits = DType.roundToBF16(Float(number)).bitPattern >> 16
        place.storeBytes(of: UInt16(truncatingIfNeeded: bits), as: UInt16.self)
      case .i32: place.storeBytes(of: Int32(dtype.round(number)), as: Int32.self)
      case .u8: place.storeBytes(of: UInt8(dtype.round(number)), as: UInt8.self)
      case .i8: place.storeBytes(of: Int8(dtype.round(number)), as: Int8.self)
      }
    }
  }

  /// Stores a tensor in the element type of its parameter.
  package func store(_ tensor: TensorValue, as dtype: DType) {
    switch (tensor.elements, dtype) {
    case (.floats(let values), .f32):
      values.withUnsafeBytes { bytes in
        if let base = bytes.baseAddress { address.copyMemory(from: base, byteCount: bytes.count) }
      }
    case (.ints(let values), .i32):
      values.withUnsafeBytes { bytes in
        if let base = bytes.baseAddress { address.copyMemory(from: base, byteCount: bytes.count) }
      }
    case (.floats(let values), _): write(dtype, values.count) { Double(values[$0]) }
    case (.ints(let values), _): write(dtype, values.count) { Double(values[$0]) }
    }
  }

  /// The tensor of a type that the buffer holds; all floats become f32, integers i32.
  package func load(_ type: TensorType) -> TensorValue {
    let count = type.count
    func elements<T, U>(_ type: T.Type, _ convert: (T) -> U) -> [U] {
      let source = address.assumingMemoryBound(to: T.self)
      return (0..<count).map { convert(source[$0]) }
    }
    switch type.dtype {
    case .f32:
      let source = UnsafeRawBufferPointer(start: address, count: count * 4)
      return TensorValue(type.shape, [Float](source.bindMemory(to: Float.self)))
    case .f16: return TensorValue(type.shape, elements(Float16.self) { Float($0) })
    case .bf16:
      return TensorValue(
        type.shape, elements(UInt16.self) { Float(bitPattern: UInt32($0) << 16) })
    case .i32: return TensorValue(type.shape, elements(Int32.self) { $0 })
    case .u8: return TensorValue(type.shape, elements(UInt8.self) { Int32($0) })
    case .i8: return TensorValue(type.shape, elements(Int8.self) { Int32($0) })
    }
  }
}
