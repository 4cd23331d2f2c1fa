import Foundation
import MoscFormats
import TestSupport
import Testing

/// What is written, replaced and removed on disks.
@Suite struct FilesTests {
  private let scratch = Scratch()

  private func mode(_ name: String) -> mode_t {
    var status = stat()
    return lstat(scratch.path(name), &status) == 0 ? status.st_mode & 0o777 : 0
  }

  private func text(_ name: String) -> String? { try? String(contentsOfFile: scratch.path(name), encoding: .utf8) }

  /// The text of the error that a body ends with.
  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
    } catch {
      return String(describing: error)
    }
    return "no error"
  }

  @Test(arguments: [0o600, 0o640, 0o666, 0o444] as [mode_t])
  func replacedFilesLeaveTheirMode(_ wanted: mode_t) throws {
    try scratch.write("a", "old")
    #expect(chmod(scratch.path("a"), wanted) == 0)
    try AtomicFile.write(Data("new".utf8), to: scratch.url.appending(path: "a"))
    #expect(text("a") == "new" && mode("a") == wanted)
    #expect(scratch.names == ["a"])
  }

  /// Files of dead processes go; those of living ones, and what only looks alike, stay.
  @Test func whatDeadProcessesLeftGoes() throws {
    let dead = try #require((400_000..<4_000_000).lazy.map { pid_t($0) }.first { kill($0, 0) != 0 && errno == ESRCH })
    let kept = [".mosc-\(getppid())-5.tmp", ".mosc-\(dead)-x.tmp", ".mosc-\(dead).tmp", "mosc-\(dead)-5.tmp"]
    for name in kept { try scratch.write(name, "x") }
    try scratch.write(".mosc-\(dead)-5.tmp", "x")
    try scratch.write(".mosc-\(dead)-6.tmp/part/of", "x")
    let claimed = try scratch.write(".mosc-\(dead)-7.tmp", "x")
    let descriptor = open(claimed.path, O_RDONLY)
    defer { close(descriptor) }
    Unfinished.claim(descriptor)
    try AtomicFile.write(Data(), to: scratch.url.appending(path: "a"))
    #expect(scratch.names == (kept + ["a", ".mosc-\(dead)-7.tmp"]).sorted())
  }

  @Test func copies() throws {
    let bytes = Data((0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) })
    let source = try scratch.write("s", bytes)
    try AtomicFile.copy(source, to: scratch.url.appending(path: "t"))
    #expect(try Data(contentsOf: scratch.url.appending(path: "t")) == bytes)
    #expect(message { try AtomicFile.copy(URL(fileURLWithPath: "/nowhere"), to: source) }
      == "/nowhere: cannot be opened: No such file or directory")
    #expect(try Data(contentsOf: source) == bytes)
  }

  /// One sentence with the system's words, whatever Foundation throws.
  @Test func messagesOfTheSystem() throws {
    let file = try scratch.write("f", "x")
    let inside = file.appending(path: "g")
    #expect(message { try AtomicFile.write(Data([1]), to: URL(fileURLWithPath: "/dev/full")) }
      == "/dev/full: cannot be written: No space left on device")
    #expect(message { try AtomicFile.write(Data([1]), to: inside) }
      == "\(inside.path): cannot be written: Not a directory")
    #expect(message { try makeFolder(inside) }.hasPrefix("\(inside.path): the folder cannot be made: "))
    #expect(message { _ = try namesInFolder(file) } == "\(file.path): the folder cannot be read: Not a directory")
    for text in [message { try makeFolder(inside) }, message { _ = try readFile(URL(fileURLWithPath: "/proc/self/mem")) }] {
      #expect(!text.contains("Domain") && !text.contains("The operation"), "\(text)")
    }
  }

  @Test func foldersAreReplacedWhole() throws {
    let place = scratch.url.appending(path: "model")
    func write(_ content: String) throws {
      try AtomicFolder.write(to: place, mayReplace: {}) { folder in
        try AtomicFile.write(Data(content.utf8), to: folder.appending(path: content))
      }
    }
    try write("one")
    #expect(chmod(place.path, 0o700) == 0)
    try write("two")
    #expect(text("model/two") == "two" && text("model/one") == nil && mode("model") == 0o700)
    struct Refusal: Error {}
    #expect(throws: Refusal.self) {
      try AtomicFolder.write(to: place, mayReplace: { throw Refusal() }) { _ in }
    }
    #expect(throws: Refusal.self) {
      try AtomicFolder.write(to: place, mayReplace: {}) { _ in throw Refusal() }
    }
    #expect(text("model/two") == "two" && scratch.names == ["model"])
  }

  /// An empty folder gives way; a file, link or pipe never does.
  @Test func whatIsNoFolderStays() throws {
    try FileManager.default.createDirectory(at: scratch.url.appending(path: "empty"), withIntermediateDirectories: true)
    try scratch.write("file", "x")
    try FileManager.default.createSymbolicLink(
      atPath: scratch.path("link"), withDestinationPath: scratch.path("empty"))
    #expect(mkfifo(scratch.path("pipe"), 0o600) == 0)
    for name in ["file", "link", "pipe"] {
      #expect(throws: FormatError.self, "\(name)") {
        try AtomicFolder.write(to: scratch.url.appending(path: name), mayReplace: {}) { _ in }
      }
    }
    try AtomicFolder.write(to: scratch.url.appending(path: "empty"), mayReplace: {}) { _ in }
    #expect(scratch.names == ["empty", "file", "link", "pipe"] && text("file") == "x")
  }

  @Test func numbersInElementTypes() {
    let values: [Float] = [0, -1.5, 1 + 0x1p-8, 1 + 0x1.8p-7, 3.4e38, .infinity, -.infinity, 1e-40]
    for (dtype, tolerance) in [(ElementType.f32, 0), (.f64, 0), (.bf16, 0x1p-8)] as [(ElementType, Float)] {
      let back = ElementType.bytes(values, dtype).map { $0.withUnsafeBytes { ElementType.floats($0, dtype) } }
      for (a, b) in zip(values, back ?? []) where a.isFinite && abs(a) < 3e38 {
        #expect(abs(a - b) <= tolerance * max(abs(a), 1), "\(dtype): \(a), \(b)")
      }
      #expect(back?.count == values.count && back?[5] == .infinity)
    }
    // Halves go to the even neighbour, and what is not a number stays so.
    let halves = ElementType.bytes([1 + 0x1p-8, 1 + 0x1.8p-7], .bf16)
    #expect(halves == [0x80, 0x3f, 0x82, 0x3f])
    let odd = ElementType.bytes([Float(bitPattern: 0x7fff_ffff), Float(bitPattern: 0x7f80_0001)], .bf16) ?? []
    let kept = odd.withUnsafeBytes { ElementType.floats($0, .bf16) }
    #expect(kept.count == 2 && kept.filter(\.isNaN).count == 2)
    #expect(ElementType.bytes([1], .i32) == nil)
  }
}
