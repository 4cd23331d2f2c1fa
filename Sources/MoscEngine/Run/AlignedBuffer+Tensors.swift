import MoscFormats
import MoscIR
import MoscRuntime

extension AlignedBuffer {
  /// The numbers of a constant in its element type.
  package convenience init(_ constant: Constant) throws {
    let type = constant.type
    try self.init(byteCount: type.byteCount())
    let values = constant.values
    write(type) { values[values.count == 1 ? 0 : $0] }
  }

  /// Stores numbers in the element type of a dense tensor.
  package func write(_ type: TensorType, _ value: (Int) -> Double) {
    let dtype = type.dtype
    if dtype == .q8 { return writeRows(type, value) }
    for index in 0..<type.count {
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
      case .i8, .q8: place.storeBytes(of: Int8(dtype.round(number)), as: Int8.self)
      }
    }
  }

  /// Stores rows of 8-bit integers with their scales.
  private func writeRows(_ type: TensorType, _ value: (Int) -> Double) {
    let width = type.lastExtent
    for index in 0..<type.rows {
      let row = QuantisedRow((0..<width).map { value(index * width + $0) })
      let place = address + index * (width + QuantisedRow.scaleBytes)
      for (column, integer) in row.integers.enumerated() {
        place.storeBytes(
          of: UInt8(integer + QuantisedRow.zeroPoint), toByteOffset: column, as: UInt8.self)
      }
      place.storeBytes(of: row.scale, toByteOffset: width, as: Float.self)
    }
  }

  /// Stores a tensor in the element type of its parameter.
  package func store(_ tensor: HostArray, as dtype: DType) {
    let type = TensorType(dtype, tensor.shape)
    if dtype != .q8, tensor.dtype == ElementType(dtype) {
      tensor.bytes.withUnsafeBytes { bytes in
        if let base = bytes.baseAddress { address.copyMemory(from: base, byteCount: bytes.count) }
      }
    } else {
      let values = tensor.doubles
      write(type) { values[$0] }
    }
  }

  /// The tensor of a type that the buffer holds; all floats become f32.
  package func load(_ type: TensorType) -> HostArray {
    let count = type.count
    func stored(_ dtype: ElementType) -> HostArray {
      HostArray(
        dtype: dtype, shape: type.shape,
        bytes: Array(UnsafeRawBufferPointer(start: address, count: count * dtype.byteSize)))
    }
    switch type.dtype {
    case .f32: return stored(.f32)
    case .f16: return HostArray(stored(.f16).floats, shape: type.shape)
    case .bf16: return HostArray(stored(.bf16).floats, shape: type.shape)
    case .i32: return stored(.i32)
    case .u8: return stored(.u8)
    case .i8: return stored(.i8)
    case .q8:
      let width = type.lastExtent
      let numbers = (0..<count).map { index -> Float in
        let (row, column) = index.quotientAndRemainder(dividingBy: width)
        let place = address + row * (width + QuantisedRow.scaleBytes) + column
        let integer = Int(place.load(as: UInt8.self)) - QuantisedRow.zeroPoint
        return Float(integer) * QuantisedRow.scale(behindRow: row, of: type, address)
      }
      return HostArray(numbers, shape: type.shape)
    }
  }
}

extension QuantisedRow {
  /// The scale of a row of a dense tensor in memory.
  package static func scale(
    behindRow row: Int, of type: TensorType, _ address: UnsafeMutableRawPointer
  ) -> Float {
    let pitch = type.lastExtent + scaleBytes
    return (address + row * pitch + type.lastExtent).loadUnaligned(as: Float.self)
  }
}
