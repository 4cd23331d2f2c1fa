import Foundation
import MoscFormats
import TestSupport
import Testing

/// CLIP tokenisation against recorded ids.
@Suite struct TokenizerTests {
  private func cases(_ file: String) throws -> [(text: String, ids: [Int32])] {
    let url = Goldens.url(file)
    let list = try #require(try JSONValue.parse(try readFile(url), path: url.path).array)
    return list.map { entry in
      let ids = entry["ids"]?.array?.compactMap { $0.int.map(Int32.init) }
      return (entry["text"]?.string ?? "", ids ?? [])
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

  /// The one file that newer programs write, with both spellings of merges.
  @Test(arguments: [true, false]) func tokenizerFileAlone(_ joins: Bool) throws {
    let source = Goldens.url("mix-of-show/base/tokenizer")
    let words = try JSONValue.parse(
      try readFile(source.appending(path: "vocab.json")), path: "vocab.json")
    let text = String(decoding: try readFile(source.appending(path: "merges.txt")), as: UTF8.self)
    let merges = text.split(separator: "\n").filter { !$0.hasPrefix("#version") }
      .map { line -> JSONValue in
        joins
          ? .string(String(line)) : .array(line.split(separator: " ").map { .string(String($0)) })
      }
    let model: JSONValue = .object([
      .init("type", .string("BPE")), .init("end_of_word_suffix", .string("</w>")),
      .init("vocab", words), .init("merges", .array(merges)),
    ])
    let added: JSONValue = .array([
      .object([.init("id", .int(49407)), .init("content", .string("<|endoftext|>"))]),
      .object([.init("id", .int(49408)), .init("content", .string("<hat1>"))]),
    ])
    let scratch = Scratch()
    try scratch.write(
      "tokenizer.json", JSONValue.object([.init("added_tokens", added), .init("model", model)]).description)
    let whole = try CLIPTokenizer(folder: scratch.url)
    let cases = try cases("diffusers/tokens.json")
    for (text, ids) in cases {
      #expect([whole.bos] + whole.tokens(text) + [whole.eos] == ids, "\(text)")
    }
    #expect(whole.nextID == 49409)
    #expect(whole.tokens("a <hat1>") == [320, 49408])
    let own = try tokenizer()
    #expect(whole.encode("a").ids == own.encode("a").ids)
  }

  @Test(arguments: [
    (#"{"model": {"type": "Unigram", "vocab": {}, "merges": []}}"#, "BPE"),
    (#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}"#, "</w>"),
    (#"{"model": {"end_of_word_suffix": "</w>", "vocab": {"a": 0}, "merges": ["a"]}}"#, "[0]"),
    (#"{"version": "1.0"}"#, "model"),
  ])
  func refusesOtherTokenizerFiles(_ text: String, _ word: String) throws {
    let scratch = Scratch()
    try scratch.write("tokenizer.json", text)
    #expect { try CLIPTokenizer(folder: scratch.url) } throws: { error in
      "\(error)".contains(word) && "\(error)".contains("tokenizer.json")
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

  /// Strings that Unicode makes hard; ids by tokenizers 0.23 with the same vocabulary.
  @Test(arguments: [
    ("ΟΔΟΣ İstanbul", [138, 123, 138, 112, 138, 123, 139, 481, 328, 16384, 11231]),
    ("x''s 'tis ''ll", [343, 8445, 338, 713, 533, 8445, 865]),
    ("一二③Ⅷ½", [19759, 222, 21078, 490, 158, 239, 351, 158, 227, 371, 33613]),
    ("👩‍🚀🇩🇪", [26304, 22400, 21531]),
    ("re\u{301}sume\u{301}\u{85}\u{2003}\u{feff}end", [29106, 7054, 4166, 171, 119, 379, 806]),
  ] as [(String, [Int32])])
  func unicode(_ text: String, _ ids: [Int32]) throws {
    #expect(try tokenizer().tokens(text) == ids)
  }

  /// The embedded model has a small vocabulary; ids by tokenizers 0.23.
  @Test func embeddedVocabulary() throws {
    let folder = Goldens.url("../../Sources/MoscModel/Resources/base/tokenizer")
    let tokenizer = try CLIPTokenizer(folder: folder)
    let prompt = "a photo of a fox on the left and a bear on the right, on grass"
    #expect(
      tokenizer.tokens(prompt) == [
        320, 603, 547, 320, 667, 512, 514, 532, 520, 320, 709, 512, 514, 530, 267, 512, 572,
      ])
    #expect(tokenizer.tokens("octopus in space 42!") == [718, 518, 578, 275, 273, 256])
    #expect(tokenizer.tokens("zeppelin") == [89, 68, 79, 639, 75, 518])
    #expect(tokenizer.bos == 912 && tokenizer.eos == 913 && tokenizer.pad == 913)
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

  /// One word of 50,000 letters; merging takes no quadratic time.
  @Test func longWords() throws {
    let tokenizer = try tokenizer()
    let word = tokenizer.tokens(String(repeating: "abcdefghij", count: 5_000))
    #expect(word.count >= 5_000)
    let run = tokenizer.tokens(String(repeating: "a", count: 40))
    #expect(run == [23126, 23126, 23126, 23126, 6727, 19336])
  }

  /// The longest added token wins, newer folders and folders without a settings file are read.
  @Test func addedTokensOfFolders() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func write(_ text: String, _ name: String) throws {
      try Data(text.utf8).write(to: folder.appending(path: name))
    }
    try write(
      "{\"a\": 0, \"a</w>\": 1, \"b</w>\": 2, \"ab</w>\": 3, \"<s>\": 4, \"</s>\": 5}",
      "vocab.json")
    try write("#version: 0.2\r\na b</w>\r\n", "merges.txt")
    try write(
      "{\"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"</s>\"}", "special_tokens_map.json")
    try write("{\"<x>\": 6, \"<x>y\": 7}", "added_tokens.json")
    try write(
      """
      {"model_max_length": 1000000000000000019884624838656,
       "added_tokens_decoder": {"8": {"content": "<z>", "special": false}}}
      """, "tokenizer_config.json")
    let tokenizer = try CLIPTokenizer(folder: folder)
    #expect(tokenizer.maximumLength == 77 && tokenizer.nextID == 9)
    #expect(tokenizer.tokens("AB a<x>y<x> b<z>q</s>") == [3, 1, 7, 6, 2, 8, 5, 5])
    #expect(tokenizer.encode("ab").ids.prefix(4) == [4, 3, 5, 5])
    try write("{\"model_max_length\": 1}", "tokenizer_config.json")
    let short = try #require(throws: FormatError.self) { try CLIPTokenizer(folder: folder) }
    #expect(short.description.contains("model_max_length"))
    try write("{}", "tokenizer_config.json")
    try write("{\"<x>\": -6}", "added_tokens.json")
    let negative = try #require(throws: FormatError.self) { try CLIPTokenizer(folder: folder) }
    #expect(negative.description.contains("<x>"))
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
