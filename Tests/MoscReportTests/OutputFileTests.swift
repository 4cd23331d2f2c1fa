import Foundation
import MoscReport
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
      #expect { try OutputPattern(text).name(1, of: 1) } throws: { "\($0)".contains("digits") }
    }
    #expect(try OutputPattern("%020d").name(7, of: 9).count == 20)
    #expect(try OutputPattern("%d").name(7, of: 9) == "7")
    let count = 100_000
    #expect(try OutputPattern(folder.appending(path: "p%d.png").path).files(count).count == count)
  }

  @Test func longTimes() {
    #expect(Reporter.duration(1e300).hasSuffix(" min") && Reporter.duration(.infinity).hasSuffix(" min"))
    #expect(Reporter.duration(3700) == "1 h 1 min")
  }
}
