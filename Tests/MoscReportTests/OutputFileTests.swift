import Foundation
import MoscReport
import Synchronization
import Testing

@Suite struct OutputFileTests {
  private let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("mosc-output-\(UUID().uuidString)")

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  @Test func writesWhole() throws {
    let path = folder.appendingPathComponent("a.txt").path
    try OutputFile(path).write("one")
    try OutputFile(path).write("two")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "two")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.txt"])
  }

  @Test func linksStay() throws {
    let (link, target) = (folder.appendingPathComponent("l"), folder.appendingPathComponent("t"))
    try "old".write(to: target, atomically: true, encoding: .utf8)
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: target)
    try OutputFile(link.path).write("new")
    #expect(try String(contentsOf: target, encoding: .utf8) == "new")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == target.path)
  }

  /// A file in the place of a device would break other programs.
  @Test func pipesAndDevicesStay() throws {
    let pipe = folder.appendingPathComponent("pipe").path
    #expect(mkfifo(pipe, 0o600) == 0)
    let reader = open(pipe, O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    try OutputFile(pipe).write("text")
    var bytes = [UInt8](repeating: 0, count: 8)
    #expect(read(reader, &bytes, 8) == 4 && bytes.starts(with: Array("text".utf8)))
    var status = stat()
    #expect(stat(pipe, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
  }

  @Test func refusesMissingFoldersBeforeTheWork() throws {
    let path = folder.appendingPathComponent("no/such/a.png").path
    #expect {
      try OutputFile(path)
    } throws: {
      ($0 as? CommandError)?.status == .failure && "\($0)".contains("no folder")
    }
    #expect(throws: CommandError.self) { try OutputFile(folder.path) }
    #expect(throws: CommandError.self) { try OutputFile("") }
  }

  /// Widths, names and numbers that would take memory or time without end.
  @Test func seriesAreBounded() throws {
    for text in ["%0999999999d.png", "%21d", "%99999999999999999999d.png"] {
      #expect { try pattern(text).name(.init(), 1, of: 1) } throws: { "\($0)".contains("digits") }
    }
    #expect(try pattern("%020d").name(.init(), 7, of: 9).count == 20)
    #expect(try pattern("%d").name(.init(), 7, of: 9) == "7")
    let items = (0..<100_000).map { OutputPattern.Item(seed: $0) }
    #expect(try pattern(folder.appending(path: "p%d.png").path).files(items).count == items.count)
  }

  private func pattern(_ text: String, prefix: String = "") -> OutputPattern {
    OutputPattern(text, OutputKind("a picture", ["png", "jpg"]), prefix: prefix)
  }

  private var names: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }
  }

  /// As the A1111 web UI does, from the largest number that is there; years are none of them.
  @Test func numbersCountOn() throws {
    let place = folder.appending(path: "new/deep").path
    let files = try pattern("\(place)/").files([.init(seed: 7), .init(seed: 9)])
    #expect(files.map(\.url.lastPathComponent) == ["00000-7.png", "00001-9.png"])
    for name in ["00041-3.png", "2024-01-01.png", "99999999999999999999-1.png", "00100"] {
      try Data().write(to: URL(fileURLWithPath: "\(place)/\(name)"))
    }
    #expect(try pattern(place).files([.init(seed: 1)])[0].path == "\(place)/00042-1.png")
    #expect(try pattern(place, prefix: "grid-").file().path == "\(place)/grid-0000.png")
    try Data().write(to: URL(fileURLWithPath: "\(place)/.grid-0006.png.lock"))
    #expect(try pattern(place, prefix: "grid-").file().path == "\(place)/grid-0007.png")
  }

  /// A number that somebody takes meanwhile is not taken from them.
  @Test func numberedFilesReplaceNothing() throws {
    let planned = try (0..<8).map { _ in try pattern("\(folder.path)/").files([.init(seed: 5)])[0] }
    #expect(Set(planned).count == 1)
    DispatchQueue.concurrentPerform(iterations: planned.count) { index in
      _ = try? planned[index].put(Data("\(index)".utf8))
    }
    #expect(try names == (0..<8).map { "0000\($0)-5.png" })
    let contents = try names.map { try String(contentsOf: folder.appending(path: $0), encoding: .utf8) }
    #expect(Set(contents) == Set((0..<8).map { "\($0)" }))
    #expect(try planned[0].settled.url.lastPathComponent == "00008-5.png")
    // A name that was chosen is replaced as asked.
    let chosen = try OutputFile(folder.appending(path: "00003-5.png").path)
    #expect(try chosen.put(Data("new".utf8)) == chosen && names.count == 8)
  }

  @Test func namesOfFoldersAreNoFiles() {
    for name in ["new/", "a.png/"] {
      #expect { try OutputFile(folder.appending(path: name).path + "/") } throws: {
        "\($0)".contains("is a directory")
      }
    }
  }

  @Test func sameNamesAreRefused() {
    let path = folder.appending(path: "[seed].png").path
    #expect { try pattern(path).files([.init(seed: 1), .init(seed: 1)]) } throws: {
      ExitStatus($0) == .usage && "\($0)".contains("'%d'")
    }
  }

  /// Names of results go to the place for results whatever is said; the result itself has none.
  @Test func namesOfResultsAreLines() throws {
    let lines = Mutex<[String]>([])
    let messages = Mutex("")
    for (verbosity, format) in [(Verbosity.quiet, LogFormat.text), (.normal, .json)] {
      let reporter = Reporter(
        verbosity: verbosity, format: format, sink: { text in messages.withLock { $0 += text } },
        results: { line in lines.withLock { $0.append(line) } })
      try reporter.result("a.png")
      try reporter.result("-")
    }
    #expect(lines.withLock { $0 } == ["a.png\n", "a.png\n"])
    #expect(messages.withLock { $0 } == "{\"event\": \"result\", \"path\": \"a.png\"}\n")
  }

  @Test func longTimes() {
    #expect(Reporter.duration(1e300).hasSuffix(" min") && Reporter.duration(.infinity).hasSuffix(" min"))
    #expect(Reporter.duration(3700) == "1 h 1 min")
  }
}
