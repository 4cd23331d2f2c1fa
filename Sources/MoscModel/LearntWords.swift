import Foundation
import MoscFormats

/// The words that a small model was trained on, from `words.json` in its folder, or its file's metadata.
///
/// Large models read any text; one that learnt a few dozen words draws the nearest of them for every other.
package struct LearntWords: Hashable, Sendable {
  /// A group of words.
  package struct Group: Hashable, Sendable {
    /// What they are, such as "things".
    package let name: String
    package let words: [String]
  }

  /// In the order of the file.
  package let groups: [Group]
  private let all: Set<String>

  init(_ file: JSONObject) throws(FormatError) {
    var groups: [Group] = []
    for member in file.members {
      groups.append(Group(name: member.key, words: try file.strings(member.key)))
    }
    self.groups = groups
    all = Set(groups.flatMap { $0.words.flatMap { $0.split(separator: " ").map { $0.lowercased() } } })
  }

  /// The words of a prompt that are none of these, each once.
  package func unknown(in prompt: String) -> [String] {
    let plain = prompt.replacing(/<[^<>]*>/, with: " ").replacing(/\b(BREAK|ADD[A-Z]+)\b/, with: " ")
    var found: [String] = []
    // Letters alone and numbers are mostly part of something else, such as a weight.
    for word in plain.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber })
    where word.count > 1 && word.contains(where: \.isLetter) && !all.contains(String(word))
      && !found.contains(String(word))
    {
      found.append(String(word))
    }
    return found
  }
}

extension DiffusersModel {
  /// The words that the model was trained on; nil for one that says nothing of them.
  package func learntWords() throws -> LearntWords? {
    try layout.learntWords().map { (file) throws(FormatError) in try LearntWords(file) }
  }
}
