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
}
