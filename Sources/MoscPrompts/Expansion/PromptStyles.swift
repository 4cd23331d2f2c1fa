import Foundation
import MoscFormats

/// Prompts with names that are added to other prompts, from a `styles.csv` of the A1111 web UI.
package struct PromptStyles: Sendable {
  /// A style: what it adds to the prompt and to the negative prompt.
  package struct Style: Hashable, Sendable {
    package var name: String
    package var prompt: String
    package var negativePrompt: String

    package init(name: String, prompt: String, negativePrompt: String) {
      (self.name, self.prompt, self.negativePrompt) = (name, prompt, negativePrompt)
    }
  }

  package let path: String
  package let styles: [Style]

  package init(path: String, styles: [Style]) { (self.path, self.styles) = (path, styles) }

  /// Reads a CSV file with the columns `name`, `prompt` and `negative_prompt`.
  package init(contentsOf url: URL) throws(FormatError) {
    let bytes = try readFile(url)
    guard var text = String(validating: bytes, as: UTF8.self) else {
      throw FormatError(url.path, nil, "is not valid UTF-8")
    }
    if text.unicodeScalars.first == "\u{feff}" { text.unicodeScalars.removeFirst() }
    let rows = try CommaSeparated.rows(text, path: url.path)
    guard let head = rows.first, let name = head.fields.firstIndex(of: "name"),
      let prompt = head.fields.firstIndex(where: { $0 == "prompt" || $0 == "text" })
    else {
      throw FormatError(
        url.path, "line 1",
        "expected the columns name, prompt and negative_prompt, found "
          + "\"\(rows.first?.fields.joined(separator: ",") ?? "")\"")
    }
    let negative = head.fields.firstIndex(of: "negative_prompt")
    var styles: [Style] = []
    for row in rows.dropFirst() where row.fields != [""] {
      guard row.fields.count > max(name, prompt) else {
        throw FormatError(
          url.path, "line \(row.line)",
          "has \(row.fields.count) fields, expected \(head.fields.count)")
      }
      let field = negative.flatMap { $0 < row.fields.count ? row.fields[$0] : nil }
      styles.append(
        Style(
          name: row.fields[name], prompt: row.fields[prompt], negativePrompt: field ?? ""))
    }
    self.init(path: url.path, styles: styles)
  }

  /// The styles with the names, in that order.
  ///
  /// - Throws: `FormatError` for a name that the file does not have.
  package func named(_ names: [String]) throws(FormatError) -> [Style] {
    var result: [Style] = []
    for name in names {
      guard let style = styles.last(where: { $0.name == name }) else {
        let known = styles.map(\.name)
        let hint =
          NearestName.suggest(name, in: known).map { ", did you mean '\($0)'?" }
          ?? "; there are \(known.prefix(12).joined(separator: ", "))"
        throw FormatError(path, nil, "has no style '\(name)'\(hint)")
      }
      result.append(style)
    }
    return result
  }

  /// A prompt with what styles add: in the place of their `{prompt}`, else after a comma.
  package static func apply(_ additions: [String], to prompt: String) -> String {
    additions.reduce(prompt) { text, addition in
      if addition.contains("{prompt}") { return addition.replacing("{prompt}", with: text) }
      return [text, addition].map { $0.scalars.stripped.text }.filter { !$0.isEmpty }
        .joined(separator: ", ")
    }
  }
}

/// Rows of comma-separated values; quoted fields may hold commas, quotes and line breaks.
private enum CommaSeparated {
  static func rows(
    _ text: String, path: String
  ) throws(FormatError) -> [(line: Int, fields: [String])] {
    var rows: [(line: Int, fields: [String])] = []
    var fields: [String] = []
    var field: Scalars = []
    var (line, start) = (1, 1)
    var isQuoted = false
    var rest = text.scalars[...]
    func endRow() {
      rows.append((start, fields + [field.text]))
      (fields, field, start) = ([], [], line)
    }
    while let scalar = rest.popFirst() {
      if scalar == "\n" { line += 1 }
      if isQuoted {
        if scalar != "\"" {
          field.append(scalar)
        } else if rest.first == "\"" {
          rest.removeFirst()
          field.append("\"")
        } else {
          isQuoted = false
        }
        continue
      }
      switch scalar {
      case "\"" where field.isEmpty: isQuoted = true
      case ",":
        fields.append(field.text)
        field = []
      case "\r" where rest.first == "\n": break
      case "\n": endRow()
      default: field.append(scalar)
      }
    }
    if isQuoted { throw FormatError(path, "line \(start)", "a quoted field does not end") }
    if !field.isEmpty || !fields.isEmpty { endRow() }
    return rows
  }
}
