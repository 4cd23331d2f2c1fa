import Foundation
import MoscDriver
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

  @Test func refusesMissingFoldersBeforeTheWork() throws {
    let path = folder.appendingPathComponent("no/such/a.png").path
    #expect {
      try OutputFile(path)
    } throws: {
      ($0 as? DriverError)?.status == .failure && "\($0)".contains("no folder")
    }
    #expect(throws: DriverError.self) { try OutputFile(folder.path) }
    #expect(throws: DriverError.self) { try OutputFile("") }
  }
}
