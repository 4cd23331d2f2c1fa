import Foundation
import MoscReport
import Testing

/// Locks of outputs, and the room on disks.
@Suite struct OutputLockTests {
  private let folder = FileManager.default.temporaryDirectory
    .appending(path: "mosc-lock-\(UUID().uuidString)")
  private var output: URL { folder.appending(path: "a.safetensors") }

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  @Test func onlyOneHoldsIt() throws {
    let result = try OutputLock.holding(output, .silent) {
      let error = #expect(throws: CommandError.self) {
        try OutputLock.holding(output, .silent) { Issue.record("two hold it") }
      }
      #expect(error?.message.contains("(process \(getpid()))") == true)
      // Another spelling of the place is the same one; another output is none.
      let other = folder.appending(path: "b/../a.safetensors")
      #expect(throws: CommandError.self) { try OutputLock.holding(other, .silent) {} }
      return try OutputLock.holding(folder.appending(path: "b.safetensors"), .silent) { 7 }
    }
    #expect(result == 7)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  /// What a killed process leaves keeps nobody out, and a failed one leaves nothing.
  @Test func itEndsWithItsHolder() throws {
    try Data("999999999".utf8).write(to: OutputLock.place(of: output))
    #expect(throws: CommandError.interrupted) {
      try OutputLock.holding(output, .silent) { throw CommandError.interrupted }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    try OutputLock.holding(output, .silent) {}
  }

  @Test func aFullDiskIsNoticed() throws {
    let free = try #require(DiskSpace.available(folder))
    try DiskSpace.check(folder, needs: free / 2, for: "tests")
    let error = #expect(throws: CommandError.self) {
      try DiskSpace.check(folder, needs: .max, for: "tests")
    }
    #expect(error?.message.contains("tests take 8388608 TiB, but only") == true)
    #expect([999, 1000, 10 << 20].map(DiskSpace.size) == ["999 bytes", "1.0 KiB", "10 MiB"])
  }
}
