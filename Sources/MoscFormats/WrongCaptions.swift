import Foundation

/// Captions that are wrong about a picture, by the kind of the mistake: a file `STEM.json` beside it, such as
///
///     {"wrong": {"sides": "a cat on the right", "thing": "a dog on the left"}}
package struct WrongCaptions: Sendable {
  /// In the order of the file; empty where there is no file, or none of them in it.
  package let texts: [(kind: String, text: String)]

  /// Reads what lies beside a picture.
  package init(beside picture: URL) throws(FormatError) {
    let url = picture.deletingPathExtension().appendingPathExtension("json")
    guard FileManager.default.fileExists(atPath: url.path) else {
      texts = []
      return
    }
    let file = try JSONObject(contentsOf: url)
    guard let value = file["wrong"] else {
      texts = []
      return
    }
    texts = try Self.read(value) { file.error("wrong", $0) }
  }

  /// Reads an object from kinds to captions.
  package static func read(
    _ value: JSONValue, error: (String) -> FormatError
  ) throws(FormatError) -> [(kind: String, text: String)] {
    guard let members = value.members else {
      throw error("expected an object from kinds of mistakes to captions, found \(value.kindName)")
    }
    var texts: [(String, String)] = []
    for member in members {
      guard let text = member.value.string else {
        throw error("'\(member.key)' is \(member.value.kindName), expected a caption")
      }
      texts.append((member.key, text))
    }
    return texts
  }
}
