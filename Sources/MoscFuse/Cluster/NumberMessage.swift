import MoscFormats

/// Numbers as bytes of a message, in little-endian order.
struct NumberWriter {
  private(set) var bytes: [UInt8] = []

  mutating func write(_ value: Int) { withUnsafeBytes(of: Int64(value).littleEndian) { bytes += $0 } }

  mutating func write(_ value: Double) { withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 } }

  mutating func write(_ matrix: Matrix) {
    write(matrix.rows)
    write(matrix.columns)
    matrix.values.withUnsafeBytes { bytes += $0 }
  }
}

/// Reads what `NumberWriter` wrote.
struct NumberReader {
  private var bytes: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

  mutating func int() throws -> Int { Int(Int64(bitPattern: try word())) }

  mutating func double() throws -> Double { Double(bitPattern: try word()) }

  mutating func matrix() throws -> Matrix {
    let (rows, columns) = (try int(), try int())
    guard rows >= 0, columns >= 0, rows.multipliedReportingOverflow(by: columns).overflow == false,
      bytes.count / 8 >= rows * columns
    else { throw damage }
    let values = Self.doubles(bytes.prefix(8 * rows * columns))
    bytes = bytes.dropFirst(8 * rows * columns)
    return Matrix(rows, columns, values)
  }

  /// The doubles that bytes are.
  static func doubles(_ bytes: ArraySlice<UInt8>) -> [Double] {
    bytes.withUnsafeBytes { raw in
      (0..<raw.count / 8).map { raw.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
    }
  }

  private mutating func word() throws -> UInt64 {
    guard bytes.count >= 8 else { throw damage }
    let value = bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    bytes = bytes.dropFirst(8)
    return value
  }

  private var damage: FormatError { FormatError("a message", nil, "ends too early") }
}

extension FusedLayer {
  /// The solution without what every process knows of the layer.
  func message(_ names: [String]) -> [UInt8] {
    var writer = NumberWriter()
    writer.write(basis)
    writer.write(m)
    writer.write(rows)
    for value in [before, after, penalty] { writer.write(value) }
    writer.write(evaluations)
    writer.write(concepts.count)
    for concept in concepts {
      writer.write(names.firstIndex(of: concept.name) ?? 0)
      writer.write(concept.before)
      writer.write(concept.after)
    }
    return writer.bytes
  }

  /// - Parameter names: those of all concepts, as in `message`.
  init(_ layer: FusionLayer, _ message: [UInt8], _ names: [String]) throws {
    var reader = NumberReader(message)
    self.layer = layer
    basis = try reader.matrix()
    m = try reader.matrix()
    rows = try reader.int()
    (before, after, penalty) = (try reader.double(), try reader.double(), try reader.double())
    evaluations = try reader.int()
    concepts = try (0..<(try reader.int())).map { _ in
      let number = try reader.int()
      guard names.indices.contains(number) else { throw FormatError("a message", nil, "names no concept") }
      return (names[number], try reader.double(), try reader.double())
    }
  }
}
