import Foundation
import MoscFormats
import MoscFuzz
import Testing

/// Safetensors: round trips, every kind of damage, and a bounded fuzz.
@Suite struct SafetensorsTests {
  private func temporary() -> URL {
    FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors")
  }

  /// Writes a file from a header text and data bytes, then opens it.
  private func open(
    _ header: String, data: [UInt8] = [], length: UInt64? = nil
  ) throws -> SafetensorsFile {
    let url = temporary()
    defer { try? FileManager.default.removeItem(at: url) }
    var bytes = Data()
    var count = (length ?? UInt64(header.utf8.count)).littleEndian
    bytes.append(Data(bytes: &count, count: 8))
    bytes.append(Data(header.utf8))
    bytes.append(Data(data))
    try bytes.write(to: url)
    return try SafetensorsFile(url)
  }

  @Test func roundTrip() throws {
    let url = temporary()
    defer { try? FileManager.default.removeItem(at: url) }
    let half = HostArray(dtype: .bf16, shape: [2], bytes: [0x80, 0x3f, 0x40, 0xc0])
    try SafetensorsFile.write(
      [
        ("b", HostArray([Float(1.5), -2], shape: [1, 2])),
        ("a \"x\"", HostArray([Int64(7), -9], shape: [2])),
        ("h", half),
      ], metadata: ["k": "v\n", "a": "ü"], to: url)
    let file = try SafetensorsFile(url)
    #expect(file.metadata == ["k": "v\n", "a": "ü"])
    #expect(file.entries.map(\.name) == ["b", "a \"x\"", "h"])
    #expect(try file.array("b").floats == [1.5, -2])
    #expect(try file.array("a \"x\"").floats == [7, -9])
    #expect(try file.array("h").floats == [1, -3])
    let first = try Data(contentsOf: url)
    try SafetensorsFile.write(
      file.entries.map { ($0.name, try file.array($0.name)) }, metadata: file.metadata, to: url)
    #expect(try Data(contentsOf: url) == first)
    let error = try #require(throws: FormatError.self) { try file.array("bb") }
    #expect(error.description.contains("nearest name is \"b\""))
  }

  static let damage: [(header: String, bytes: Int, expected: String)] = [
    ("{", 0, "not valid JSON"),
    ("[]", 0, "expected a JSON object"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3, "truncated"),
    ("{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "unknown dtype"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "takes 8 bytes"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "not a count"),
    ("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "lie outside"),
    (
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,4],\"data_offsets\":[0,4]}}", 4,
      "too large"
    ),
    (
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
        + "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[2,5]}}", 5, "overlaps"
    ),
    (
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
        + "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}", 3, "leaves a gap"
    ),
    ("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 2, "belong to nothing"),
    (
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
        + "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "occurs twice"
    ),
    ("{\"__metadata__\":{\"k\":1}}", 0, "__metadata__.k"),
    ("{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "'dtype'"),
  ]

  @Test(arguments: damage)
  func damageIsNamed(_ damage: (header: String, bytes: Int, expected: String)) throws {
    let error = try #require(throws: FormatError.self) {
      try open(damage.header, data: [UInt8](repeating: 0, count: damage.bytes))
    }
    #expect(error.description.contains(damage.expected), "\(error)")
    #expect(error.description.contains(".safetensors"))
  }

  @Test func absurdLengthsAndMissingFiles() throws {
    for length in [UInt64.max, 1 << 40, 50] {
      #expect(throws: FormatError.self) { try open("{}", length: length) }
    }
    let missing = temporary()
    let error = try #require(throws: FormatError.self) { try SafetensorsFile(missing) }
    #expect(error.message == "there is no such file")
    try Data().write(to: missing)
    defer { try? FileManager.default.removeItem(at: missing) }
    #expect(throws: FormatError.self) { try SafetensorsFile(missing) }
    #expect(throws: FormatError.self) {
      try SafetensorsFile(FileManager.default.temporaryDirectory)
    }
  }

  @Test func writingFailsWhole() throws {
    let nowhere = temporary().appending(path: "x.safetensors")
    #expect(throws: FormatError.self) {
      try SafetensorsFile.write([("a", HostArray([Float(1)], shape: [1]))], to: nowhere)
    }
    let url = temporary()
    #expect(throws: FormatError.self) {
      try SafetensorsFile.write(
        [("a", HostArray(dtype: .f32, shape: [2], bytes: [0]))], to: url)
    }
    #expect(!FileManager.default.fileExists(atPath: url.path))
  }

  /// A header that is not UTF-8, and a name that only metadata may have.
  @Test func badNames() throws {
    let url = temporary()
    defer { try? FileManager.default.removeItem(at: url) }
    var bytes: [UInt8] = [4, 0, 0, 0, 0, 0, 0, 0]
    bytes += [0x7b, 0x22, 0xff, 0x22]
    try Data(bytes).write(to: url)
    let error = try #require(throws: FormatError.self) { try SafetensorsFile(url) }
    #expect(error.description.contains("not valid UTF-8"))
    #expect(throws: FormatError.self) {
      try SafetensorsFile.write([("__metadata__", HostArray([Float(1)], shape: [1]))], to: url)
    }
  }

  /// A pipe without a writer is an error, not a wait.
  @Test func pipesAreRefused() throws {
    let url = temporary()
    defer { try? FileManager.default.removeItem(at: url) }
    try #require(mkfifo(url.path, 0o600) == 0)
    let error = try #require(throws: FormatError.self) { try SafetensorsFile(url) }
    #expect(error.message == "expected a regular file")
  }

  /// Dropped pages are read from the file again.
  @Test func droppedPagesComeBack() throws {
    let url = temporary()
    defer { try? FileManager.default.removeItem(at: url) }
    let values = (0..<50_000).map(Float.init)
    try SafetensorsFile.write([("a", HostArray(values, shape: [50_000]))], to: url)
    let file = try SafetensorsFile(url)
    let entry = try #require(file["a"])
    #expect(try file.array("a").floats == values)
    file.dropPages(of: entry)
    #expect(try file.array("a").floats == values)
  }

  /// Seeded mutations of a sound file either open or fail with an error.
  @Test func mutationsNeverCrash() throws {
    let url = temporary()
    defer { try? FileManager.default.removeItem(at: url) }
    try SafetensorsFile.write(
      [
        ("x.weight", HostArray([1, 2, 3, 4] as [Float], shape: [2, 2])),
        ("y", HostArray([5] as [Float], shape: [1])),
      ],
      metadata: ["a": "b"], to: url)
    let sound = [UInt8](try Data(contentsOf: url))
    var numbers = SeededNumbers(20_261)
    var opened = 0
    for _ in 0..<500 {
      var bytes = sound
      numbers.damage(&bytes)
      try Data(bytes).write(to: url)
      do {
        let file = try SafetensorsFile(url)
        for entry in file.entries { _ = try file.array(entry.name) }
        opened += 1
      } catch {}
    }
    #expect(opened > 0 && opened < 500)
  }
}
