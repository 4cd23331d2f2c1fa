import Foundation
import MoscFormats

/// Writes torch files byte by byte for tests.
enum TorchFixture {
  /// A number in little-endian bytes.
  static func little(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  /// A zip archive of stored entries; `method`, `crc` and `header` falsify every entry.
  static func zip(
    _ entries: [(name: String, bytes: [UInt8])], method: UInt16 = 0, crc: UInt32? = nil,
    header: UInt32? = nil
  ) -> [UInt8] {
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let start = header ?? UInt32(file.count)
      let name = Array(entry.name.utf8)
      let sizes = little(crc ?? CRC32.checksum(entry.bytes)) + little(UInt32(entry.bytes.count))
        + little(UInt32(entry.bytes.count)) + little(UInt16(name.count)) + little(UInt16(0))
      let common = little(UInt32(0)) + little(method) + little(UInt32(0)) + sizes
      file += little(UInt32(0x0403_4b50)) + common + name + entry.bytes
      directory += little(UInt32(0x0201_4b50)) + little(UInt16(0)) + common
      directory += [UInt8](repeating: 0, count: 10) + little(start) + name
    }
    let count = little(UInt16(entries.count))
    return file + directory + little(UInt32(0x0605_4b50)) + little(UInt32(0)) + count + count
      + little(UInt32(directory.count)) + little(UInt32(file.count)) + little(UInt16(0))
  }

  /// Writes bytes to a temporary file while a function runs.
  static func withFile<T>(_ bytes: [UInt8], _ body: (URL) throws -> T) throws -> T {
    let url = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).pth")
    defer { try? FileManager.default.removeItem(at: url) }
    try Data(bytes).write(to: url)
    return try body(url)
  }

  /// Opens a torch file made of a pickle and the storage "0" of four float32: 0, 1, 2, 3.
  static func open(_ pickle: [UInt8]) throws -> TorchFile {
    let storage = [Float(0), 1, 2, 3].flatMap { little($0.bitPattern) }
    return try withFile(zip([("a/data.pkl", pickle), ("a/data/0", storage)])) { try TorchFile($0) }
  }

  // MARK: Opcodes

  static let proto: [UInt8] = [0x80, 2]
  static let stop: [UInt8] = [0x2e]
  static let mark: [UInt8] = [0x28]
  static let tuple: [UInt8] = [0x74]
  static let reduce: [UInt8] = [0x52]

  static func string(_ text: String) -> [UInt8] {
    [0x58] + little(UInt32(text.utf8.count)) + text.utf8
  }

  static func global(_ module: String, _ name: String) -> [UInt8] {
    Array("c\(module)\n\(name)\n".utf8)
  }

  static func int(_ value: Int) -> [UInt8] { [0x8a, 8] + little(Int64(value)) }

  static func ints(_ values: [Int]) -> [UInt8] { mark + values.flatMap(int) + tuple }

  /// The storage "0", seen as a type with a number of elements.
  static func storage(
    type: String = "FloatStorage", key: String = "0", count: Int = 4, tag: String = "storage"
  ) -> [UInt8] {
    mark + string(tag) + global("torch", type) + string(key) + string("cuda:0") + int(count) + tuple
      + [0x51]
  }

  /// A tensor over a storage.
  static func tensor(
    _ storage: [UInt8] = storage(), offset: Int = 0, shape: [Int], strides: [Int]
  ) -> [UInt8] {
    global("torch._utils", "_rebuild_tensor_v2") + mark + storage + int(offset) + ints(shape)
      + ints(strides) + [0x89] + global("collections", "OrderedDict") + [0x29] + reduce + tuple
      + reduce
  }
}
