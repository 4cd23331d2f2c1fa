import Foundation
import MoscFormats
import Testing
import TestSupport

/// CLIP tokenisation against recorded ids.
@Suite struct TokenizerTests {
  private func cases(_ file: String) throws -> [(text: String, ids: [Int32])] {
    let url = Goldens.url(file)
    let list = try #require(try JSONValue.parse(try readFile(url), path: url.path).array)
    return list.map { entry in
      (entry["text"]?.string ?? "", entry["ids"]?.array?.compactMap { $0.int.map(Int32.init) } ?? [])
    }
  }

  private func tokenizer() throws -> CLIPTokenizer {
    try CLIPTokenizer(folder: Goldens.url("mix-of-show/base/tokenizer"))
  }

  @Test func recordedStrings() throws {
    let tokenizer = try tokenizer()
    let cases = try cases("diffusers/tokens.json")
    #expect(cases.count > 20)
    for (text, ids) in cases {
      #expect([tokenizer.bos] + tokenizer.tokens(text) + [tokenizer.eos] == ids, "\(text)")
    }
  }

  @Test func addedTokens() throws {
    var tokenizer = try tokenizer()
    #expect(tokenizer.nextID == 49408)
    for i in 0..<64 { tokenizer.add("<new\(i)>", id: Int32(49408 + i)) }
    for (text, ids) in try cases("mix-of-show/tokens_added.json") {
      #expect([tokenizer.bos] + tokenizer.tokens(text) + [tokenizer.eos] == ids, "\(text)")
    }
  }

  @Test func lengths() throws {
    let tokenizer = try tokenizer()
    let short = tokenizer.encode("a cat")
    #expect(short.ids.count == 77 && short.tokenCount == 4 && !short.isTruncated)
    #expect(short.ids[3...].allSatisfy { $0 == 49407 })
    let long = tokenizer.encode(String(repeating: "word ", count: 10_000))
    #expect(long.ids.count == 77 && long.tokenCount == 10_002 && long.isTruncated)
    #expect(long.ids.first == 49406 && long.ids.last == 49407)
  }

  @Test func brokenFoldersAreExplained() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    #expect(throws: FormatError.self) { try CLIPTokenizer(folder: folder) }
    try Data("{\"a\": 0}".utf8).write(to: folder.appending(path: "vocab.json"))
    try Data("a b c\n".utf8).write(to: folder.appending(path: "merges.txt"))
    let error = try #require(throws: FormatError.self) { try CLIPTokenizer(folder: folder) }
    #expect(error.description.contains("line 1"))
    try Data("".utf8).write(to: folder.appending(path: "merges.txt"))
    let missing = try #require(throws: FormatError.self) { try CLIPTokenizer(folder: folder) }
    #expect(missing.description.contains("<|startoftext|>"))
  }
}
