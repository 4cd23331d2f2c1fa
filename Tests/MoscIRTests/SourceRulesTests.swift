import Foundation
import Testing

/// What sources must not hold because the compiler does not see that it is wrong.
@Suite struct SourceRulesTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// An error thrown by `??`'s right side is lost when that side makes an enum case of two or more
  /// values: Swift 6.3 takes the autoclosure for one that cannot throw, and the program runs on into
  /// nothing. Source: swiftlang/swift issue 91937.
  private static var lostError: Regex<Substring> { /\?\?\s+(?:try\s+)?[\w.]+\([^()]*?\.[a-z]\w*\([^()]*?,/ }

  @Test func noErrorIsLostBehindAnAutoclosure() throws {
    for text in [
      "let p = try known ?? make(.encoder(batch: 1, height: h))",
      "try known\n      ?? model.program(.encoder(batch: 1,\n height: 2))",
    ] {
      #expect(text.contains(Self.lostError), "\(text)")
    }
    for text in ["known ?? make(function)", "a ?? .encoder(batch: 1, height: 2)", "x ?? max(1, 2)"] {
      #expect(!text.contains(Self.lostError), "\(text)")
    }
    for folder in ["IR", "passes", "Sources", "tools/mosc"] {
      let place = Self.root.appending(path: folder)
      let files = try #require(FileManager.default.enumerator(atPath: place.path))
      for case let file as String in files where file.hasSuffix(".swift") {
        let text = try String(contentsOf: place.appending(path: file), encoding: .utf8)
        #expect(!text.contains(Self.lostError), "\(folder)/\(file)")
      }
    }
  }

  /// Calls whose errors are dumps of Foundation, or that leave `.dat.nosync…` files behind when the process
  /// is killed, with the one place that makes sentences of them.
  @Test func foundationWritesThroughOnePlace() throws {
    let raw = /try (?:[\w.]+\.)?(?:createDirectory|contentsOfDirectory)\(|options: \.atomic|atomically: true/
    let allowed: Set<String> = ["MoscFormats/Files/SystemMessage.swift", "MoscCommandLines/CommandLineTranslation.swift"]
    let place = Self.root.appending(path: "Sources")
    let files = try #require(FileManager.default.enumerator(atPath: place.path))
    for case let file as String in files where file.hasSuffix(".swift") && !allowed.contains(file) {
      let text = try String(contentsOf: place.appending(path: file), encoding: .utf8)
      #expect(!text.contains(raw), "\(file): use makeFolder, namesInFolder, AtomicFile or PrivateFolder")
    }
    #expect("try files.createDirectory(at: x)".contains(raw) && !"try? files.createDirectory(at: x)".contains(raw))
  }
}
