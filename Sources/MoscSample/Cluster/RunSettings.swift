import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks

/// What the results of a run depend on, under the names that users know: what a run that is taken up
/// must share with the one that saved the state.
///
/// A new setting that changes results belongs here; what changes none (threads, messages, how often
/// is saved) does not.
package struct RunSettings: Sendable {
  /// A setting with its value.
  package typealias Fact = (name: String, value: JSONValue)

  private let facts: [JSONValue.Member]

  package init(_ facts: [Fact]) {
    self.facts = facts.map { JSONValue.Member($0.name, $0.value) }
  }

  private init(members: [JSONValue.Member]) { facts = members }

  /// The settings with more of them.
  package func adding(_ more: [Fact]) -> RunSettings {
    RunSettings(members: facts + more.map { JSONValue.Member($0.name, $0.value) })
  }

  /// The settings as a file keeps them.
  package var text: String { JSONValue.object(facts).description }

  /// What differs from the settings of a file, such as `--rank 4, this run has 8`.
  ///
  /// - Throws: `FormatError` for text that is no object.
  package func differences(from text: String, path: String) throws(FormatError) -> [String] {
    let stored = try JSONValue.parse(Array(text.utf8), path: path).members ?? []
    let own = Set(facts.map(\.key))
    let others = stored.filter { !own.contains($0.key) }.map { JSONValue.Member($0.key, .null) }
    return (facts + others).compactMap { fact in
      let found = stored.first { $0.key == fact.key }?.value ?? .null
      return Self.difference(found, fact.value).map { "\(fact.key) \($0)" }
    }
  }

  /// How two values differ; of lists, the first elements that do.
  private static func difference(_ stored: JSONValue, _ own: JSONValue) -> String? {
    // Texts of numbers are exact, and equal for what is no number.
    if stored.description == own.description { return nil }
    guard let (old, new) = stored.array.flatMap({ old in own.array.map { (old, $0) } }) else {
      return "\(word(stored)), this run has \(word(own))"
    }
    for index in 0..<max(old.count, new.count) {
      let pair = [old, new].map { index < $0.count ? $0[index] : .null }
      if let found = difference(pair[0], pair[1]) { return found }
    }
    return nil
  }

  private static func word(_ value: JSONValue) -> String {
    switch value {
    case .null: "nothing"
    case .string(let text): text
    default: value.description
    }
  }
}

extension RunSettings {
  /// What kernels compute with, which runs of both kinds depend on.
  package static func arithmetic(_ compiler: Compiler) -> [Fact] {
    [
      ("--type", .string(compiler.target.precision.rawValue)),
      ("--mcpu", .string(compiler.options.cpu)), ("--mattr", .string(compiler.options.attributes)),
    ]
  }

  /// A file by name and content, wherever it lies.
  package static func file(_ url: URL) throws -> String {
    "\(url.lastPathComponent) (\(shortened(try FileHash.sha256(of: url))))"
  }

  /// The contents of a model, wherever it lies.
  package static func model(_ model: DiffusersModel, _ option: String = "--model") throws -> [Fact] {
    try model.contentHashes().map { ("\($0.part) of \(option)", .string(shortened($0.hash))) }
  }

  /// As much of a hash as tells files apart.
  private static func shortened(_ hash: String) -> String { String(hash.prefix(16)) }
}
