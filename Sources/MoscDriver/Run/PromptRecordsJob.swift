import Foundation
import MoscFormats
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscReport

/// `mosc run prompts`: answers recorded questions about the prompt language.
///
/// The tokens are those of the model of `-m`, else CLIP's own.
package struct PromptRecordsJob {
  package let request: RunRequest

  package init(_ request: RunRequest) { self.request = request }

  package func run() throws {
    guard let kind = request.promptKind else {
      throw CommandError.usage(
        "'run prompts' needs --kind: "
          + PromptRecords.Kind.allCases.map(\.rawValue).joined(separator: ", "))
    }
    let output = try OutputFile(request.output)
    let bytes = try readFile(URL(fileURLWithPath: request.input))
    let document = try JSONValue.parse(bytes, path: request.input)
    let records = PromptRecords(
      kind, kind == .chunks ? try tokenizer() : nil, path: request.input)
    try output.write(Data((Self.text(try records.answered(document)) + "\n").utf8))
  }

  private func tokenizer() throws -> CLIPTokenizer {
    guard request.model.path != nil else { return try CLIPVocabulary.tokenizer() }
    return try ModelComponents.open(request.model).tokenizer()
  }

  /// The document with one record a line.
  private static func text(_ document: JSONValue) -> String {
    let members = document.members ?? []
    let lines = members.map { member in
      let value =
        if let list = member.value.array, !list.isEmpty {
          "[\n" + list.map(\.description).joined(separator: ",\n") + "\n]"
        } else {
          member.value.description
        }
      return "\(JSONText.quote(member.key)): \(value)"
    }
    return "{\n" + lines.joined(separator: ",\n") + "\n}"
  }
}
