import Foundation
import MoscFormats
import MoscFuzz
import TestSupport
import Testing

/// Torch files: real ones, hand-made attacks, damage to the archive, and a seeded fuzz.
@Suite struct PickleTests {
  // MARK: Files of torch

  @Test(arguments: ["hina", "kaori"]) func readsConceptFiles(_ concept: String) throws {
    let file = try TorchFile(Goldens.url("mix-of-show/edlora_\(concept).pth"))
    func count(_ part: String) -> Int {
      file.tensors.count { $0.name.hasPrefix("params.\(part).") }
    }
    #expect(file.tensors.count == 274)
    #expect(count("new_concept_embedding") == 2)
    #expect(count("text_encoder") == 16)
    #expect(count("unet") == 256)
    let rows = try #require(file["params.new_concept_embedding.<\(concept)1>"])
    #expect(rows.dtype == .f32)
    #expect(rows.shape == [16, 64])
    #expect(file.root[key: "params"]?[key: "unet"]?.members?.count == 256)
  }

  @Test func valuesAreThoseOfTorch() throws {
    let file = try TorchFile(Goldens.url("mix-of-show/edlora_hina.pth"))
    let first = try file.array("params.new_concept_embedding.<hina1>").floats
    #expect(first[0] == 0.009038692340254784)
    #expect(first[3 * 64 + 5] == -0.017083555459976196)
    func check(_ name: String, _ shape: [Int], _ ends: [Float], _ sum: Double) throws {
      let array = try file.array("params.\(name)")
      #expect(array.shape == shape)
      #expect([array.floats[0], array.floats[array.count - 1]] == ends)
      #expect(abs(array.doubles.reduce(0, +) - sum) < 1e-12)
    }
    try check(
      "new_concept_embedding.<hina2>", [16, 64], [0.017161743715405464, 0.04527238383889198],
      5.365133047584095)
    try check(
      "text_encoder.text_model.encoder.layers.1.self_attn.q_proj.lora_up.weight", [64, 4],
      [0.03548012301325798, -0.06348767876625061], -0.8557866196752002)
    try check(
      "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0.lora_up.weight", [64, 4],
      [-0.03195089101791382, 0.019500479102134705], -0.5662246310239425)
    let error = try #require(throws: FormatError.self) {
      try file.array("params.new_concept_embedding.<hina3>")
    }
    #expect(error.description.contains("nearest name is"))
  }

  @Test func readsEveryKind() throws {
    let file = try TorchFile(Goldens.url("torch/kinds.pth"))
    let types: [(String, ElementType)] = [
      ("float64", .f64), ("float32", .f32), ("float16", .f16), ("bfloat16", .bf16),
      ("int64", .i64), ("int32", .i32), ("int16", .i16), ("int8", .i8), ("uint8", .u8),
    ]
    for (name, type) in types {
      let array = try file.array("kinds.\(name)")
      #expect(array.dtype == type)
      #expect(array.floats == [1, 2, 3], "\(name)")
    }
    #expect(try file.array("kinds.bool").dtype == .bool)
    #expect(try file.array("kinds.bool").ints == [0, 1, 1])
    #expect(try file.array("state.weight").floats == [1.5, -2])
    #expect(try file.array("state.bias").floats == [0.25])
    #expect(try file.array("parameter").floats == [3])
    func check(_ name: String, _ shape: [Int], _ values: [Float]) throws {
      let array = try file.array(name)
      #expect(array.shape == shape, "\(name)")
      #expect(array.floats == values, "\(name)")
    }
    try check("whole", [12], (0..<12).map(Float.init))
    try check("part", [3], [4, 5, 6])
    try check("transposed", [4, 3], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])
    try check("step", [4], [1, 4, 7, 10])
    try check("expanded", [2, 3], [7, 7, 7, 8, 8, 8])
    try check("scalar", [], [5])
    try check("empty", [0, 3], [])
    #expect(file.root.members?.last?.value.string == "seven")
    #expect(file.root.members?.last?.key == .int(7))
    var plain: [String] = []
    let list = try #require(file.root[key: "plain"])
    guard case .list(let items) = list else { throw FormatError("plain", nil, "not a list") }
    #expect(items.count == 16)
    list.forEachLeaf { (name, value) in
      switch value {
      case .none: plain.append("none")
      case .bool(let value): plain.append("\(value)")
      case .int(let value): plain.append("\(value)")
      case .float(let value): plain.append("\(value)")
      case .string(let value): plain.append(value)
      default: plain.append("?")
      }
    }
    #expect(
      plain.joined(separator: " ")
        == "none true false -1 70000 1099511627776 -1099511627776 0.1 ü 1 1 2 1 2 3 1 2 3 4")
  }

  // MARK: Attacks

  typealias F = TorchFixture

  static let attacks: [(pickle: [UInt8], expected: String)] = [
    (
      F.proto + F.global("os", "system") + F.string("true") + [0x85] + F.reduce + F.stop,
      "\"os.system\" is refused"
    ),
    (F.proto + F.global("builtins", "eval") + F.stop, "byte 2: the name \"builtins.eval\""),
    (F.proto + F.string("os") + F.string("system") + [0x93], "STACK_GLOBAL is refused"),
    (F.proto + [0x29, 0x81], "byte 3: the opcode NEWOBJ is refused"),
    (F.proto + [0x69], "INST is refused"),
    (F.proto + [0xfe], "no opcode"),
    ([0x80, 4] + F.stop, "protocol 4, expected 2"),
    (F.proto + [0x58, 0xff, 0xff, 0xff, 0xff], "truncated: 4294967295 bytes"),
    (F.proto + [0x8a, 200], "an int of 200 bytes"),
    (F.proto + [0x58, 1, 0, 0, 0, 0xff] + F.stop, "not UTF-8"),
    (F.proto + [0x4e], "truncated"),
    ([], "truncated"),
    (F.proto + F.stop, "stack is empty"),
    (F.proto + [0x4e, 0x4e] + F.stop, "left over"),
    (F.proto + [0x4e] + F.stop + [0], "left over"),
    (F.proto + [0x68, 9] + F.stop, "memo index 9"),
    (F.proto + [0x6a, 0xff, 0xff, 0xff, 0xff] + F.stop, "memo index 4294967295"),
    (F.proto + [0x4e, 0x72, 0xff, 0xff, 0xff, 0xff] + F.stop, "expected at most"),
    (F.proto + [0x71, 0], "stack is empty"),
    (F.proto + [0x74], "no mark"),
    (F.proto + [0x4e] + F.mark + [0x85], "stack has 0 values"),
    (F.proto + [0x4e, 0x4e, 0x61], "expected a list"),
    (F.proto + [0x7d] + F.mark + [0x4e, 0x75], "a key has no value"),
    (F.proto + [0x7d, 0x4e, 0x4e, 0x73], "a key of a dict is None"),
    (F.proto + [0x4e, 0x29] + F.reduce, "call of None is refused"),
    (F.proto + F.global("torch", "FloatStorage") + [0x29] + F.reduce, "storage type is refused"),
    (F.proto + F.global("torch", "FloatStorage") + F.stop, "a global name stands"),
    (F.proto + F.storage() + F.stop, "a storage stands"),
    (F.proto + [0x4e, 0x7d, 0x62], "attributes are only read for a dict"),
    (F.proto + [0x5d, 0x71, 0, 0x68, 0, 0x61] + F.stop, "holds itself"),
    (F.proto + [0x29] + [UInt8](repeating: 0x85, count: 100_000) + F.stop, "deeper than 100"),
    (F.proto + [UInt8](repeating: 0x28, count: 100_000) + F.stop, "stack is empty"),
    (F.proto + [UInt8](repeating: 0x5d, count: 9), "truncated"),
    (doublingList(60), "expand to more than"),
    (doublingList(200), "expand to more than"),
    (F.proto + F.storage(tag: "module") + F.stop, "unknown persistent id"),
    (F.proto + [0x4e, 0x51], "a persistent id: expected a tuple"),
    (F.proto + F.storage(key: "1"), "a/data/1"),
    (F.proto + F.storage(key: "../data.pkl"), "missing"),
    (F.proto + F.storage(count: 5), "does not fit its 16 bytes"),
    (F.proto + F.storage(count: -1), "does not fit"),
    (F.proto + F.storage(count: .max), "does not fit"),
    (F.proto + F.storage(type: "DoubleStorage"), "does not fit"),
    (F.proto + F.storage(type: "ComplexFloatStorage"), "\"torch.ComplexFloatStorage\" is refused"),
    (F.proto + F.tensor(shape: [5], strides: [1]), "reach beyond the 4 elements"),
    (F.proto + F.tensor(offset: 1, shape: [4], strides: [1]), "reach beyond"),
    (F.proto + F.tensor(offset: -1, shape: [1], strides: [1]), "none may be negative"),
    (F.proto + F.tensor(offset: 3, shape: [4], strides: [-1]), "none may be negative"),
    (F.proto + F.tensor(shape: [-4], strides: [1]), "none may be negative"),
    (F.proto + F.tensor(shape: [2, 2], strides: [1]), "2 extents and 1 strides"),
    (F.proto + F.tensor(offset: .max, shape: [2], strides: [.max]), "reach beyond"),
    (F.proto + F.tensor(shape: [2], strides: [.max]), "reach beyond"),
    (F.proto + F.tensor(shape: [1 << 40], strides: [0]), "too large"),
    (F.proto + F.tensor(shape: [.max, .max], strides: [0, 0]), "too large"),
    (F.proto + F.tensor(shape: [0, .max, .max], strides: [0, 0, 0]), "too large"),
    (
      F.proto
        + F.tensor(
          shape: [Int](repeating: 1, count: 65), strides: [Int](repeating: 0, count: 65)),
      "65 extents"
    ),
    (F.proto + F.tensor([0x4e], shape: [1], strides: [1]), "found (None"),
  ]

  /// Tuples that each hold the one before twice: 2^count leaves in few bytes. A list below keeps
  /// every one.
  static func doublingList(_ count: Int) -> [UInt8] {
    let level: [UInt8] = [0x61, 0x68, 0, 0x68, 0, 0x86, 0x71, 0]
    return F.proto + [0x5d, 0x4e, 0x71, 0] + (0..<count).flatMap { _ in level } + [0x61] + F.stop
  }

  @Test(arguments: attacks.indices) func refuses(_ index: Int) throws {
    let attack = Self.attacks[index]
    let error = try #require(throws: FormatError.self) { try F.open(attack.pickle) }
    #expect(error.description.contains(attack.expected), "\(error)")
  }

  @Test func aliasesAndOddStridesAreRead() throws {
    let pickle = F.proto + [0x7d] + F.mark
      + F.string("all") + F.tensor(shape: [4], strides: [1])
      + F.string("reversedAxes") + F.tensor(shape: [2, 2], strides: [1, 2])
      + F.string("overlapping") + F.tensor(shape: [3, 2], strides: [1, 1])
      + F.string("wildStride") + F.tensor(offset: 3, shape: [1, 1], strides: [.max, .max])
      + F.string("half")
      + F.tensor(F.storage(type: "HalfStorage", count: 8), shape: [8], strides: [1])
      + [0x75] + F.stop
    try F.withFile(
      F.zip([
        ("a/data.pkl", pickle),
        ("a/data/0", [Float(0), 1, 2, 3].flatMap { F.little($0.bitPattern) }),
      ])
    ) { url in
      let file = try TorchFile(url)
      #expect(try file.array("all").floats == [0, 1, 2, 3])
      #expect(try file.array("reversedAxes").floats == [0, 2, 1, 3])
      #expect(try file.array("overlapping").floats == [0, 1, 1, 2, 2, 3])
      #expect(try file.array("wildStride").floats == [3])
      #expect(try file.array("half").floats[3] == 1.875)
    }
  }

  // MARK: The archive

  static let none: [UInt8] = [0x80, 2, 0x4e, 0x2e]
  static let archives: [(bytes: [UInt8], expected: String)] = [
    (F.zip([("a/data.pkl", none)], method: 8), "is deflated"),
    (F.zip([("a/data.pkl", none)], method: 93), "method 93"),
    (F.zip([("a/data.pkl", none)], crc: 1), "check sum"),
    (F.zip([("a/data.pkl", none)], header: 0x7fff_ffff), "header lies outside"),
    (F.zip([("a/data.pkl", none)], header: 1), "no header of this entry"),
    (F.zip([("a/data.pkl", none), ("a/data.pkl", none)]), "two entries"),
    (F.zip([("b", none)]), "expected 1"),
    (F.zip([("a/data.pkl", none), ("a/byteorder", Array("big".utf8))]), "expected \"little\""),
    (Array(F.zip([("a/data.pkl", none)]).dropLast()), "truncated"),
    (none, "before version 1.6"),
    (Array("{}".utf8), "expected a zip archive"),
  ]

  @Test(arguments: archives.indices) func refusesArchives(_ index: Int) throws {
    let archive = Self.archives[index]
    let error = try #require(throws: FormatError.self) {
      try F.withFile(archive.bytes) { try TorchFile($0) }
    }
    #expect(error.description.contains(archive.expected), "\(error)")
  }

  // MARK: Fuzz

  /// Reads all tensors of a damaged file; returns whether it was read rather than refused.
  private func survives(_ bytes: [UInt8]) throws -> Bool {
    try F.withFile(bytes) { url in
      do {
        let file = try TorchFile(url)
        for (_, tensor) in file.tensors {
          let array = tensor.array()
          #expect(array.bytes.count == array.count * array.dtype.byteSize)
        }
        return true
      } catch is FormatError {
        return false
      }
    }
  }

  @Test func mutationsAreReadOrRefused() throws {
    let url = Goldens.url("torch/kinds.pth")
    let original = [UInt8](try Data(contentsOf: url))
    let archive = try ZipArchive(url)
    let entries = archive.entries.map { ($0.name, Array(archive.bytes(of: $0))) }
    let pickle = try #require(entries.firstIndex { $0.0.hasSuffix("data.pkl") })
    var random = SeededNumbers(7)
    var read = [0, 0]
    for round in 0..<1200 {
      var bytes = original
      if round.isMultiple(of: 3) {
        random.damage(&bytes)
      } else {
        // Damage behind a right check sum reaches the machine.
        var changed = entries
        random.damage(&changed[pickle].1)
        bytes = F.zip(changed)
      }
      read[try survives(bytes) ? 1 : 0] += 1
    }
    #expect(read[0] > 100 && read[1] > 20, "refused and read: \(read)")
  }

  @Test func damagedConceptFilesAreReadOrRefused() throws {
    let original = [UInt8](
      try Data(contentsOf: Goldens.url("mix-of-show/edlora_hina.pth")))
    var random = SeededNumbers(8)
    for _ in 0..<40 {
      var bytes = original
      random.damage(&bytes)
      _ = try survives(bytes)
    }
    #expect(try survives(original))
  }
}
