import Foundation
import MoscFormats
import MoscIR
import MoscReport

/// A folder with the module after each pass, numbered, and a page that lists them.
///
/// Files of others stay, even one called `index.html`.
package struct DumpFolder {
  package let path: String
  private static let mark = "<!doctype html><!-- modules dumped by mosc -->"
  /// Differences of larger modules are left to the explorer.
  private static let comparedLines = 3_000

  package init(_ path: String) throws {
    self.path = path
    try makeFolder(URL(fileURLWithPath: path))
  }

  /// Writes a module of a program after a pass.
  package func write(_ module: Module, _ number: Int, after pass: String, of program: String) throws {
    let number = String(number + 1000).dropFirst()
    try OutputFile("\(path)/\(number)_\(program)_\(pass).mos").write(Printer.print(module))
  }

  /// Writes the page; returns why it could not, or nil.
  package func writeIndex() throws -> String? {
    let file = "\(path)/index.html"
    if let text = try? String(contentsOfFile: file, encoding: .utf8), !text.hasPrefix(Self.mark) {
      return "\(file) is not from here and stays; the modules are listed nowhere"
    }
    try OutputFile(file).write(try page())
    return nil
  }

  private struct Entry {
    var file: String
    var number: String
    var program: String
    var pass: String
    var text: String
  }

  private func entries() throws -> [Entry] {
    let names = try namesInFolder(URL(fileURLWithPath: path))
    let entries: [Entry] = try names.compactMap { name in
      guard let match = name.wholeMatch(of: /(\d{3})_(.+)_([^_]+)\.mos/) else { return nil }
      return Entry(
        file: name, number: String(match.1), program: String(match.2), pass: String(match.3),
        text: try TextFile.read("\(path)/\(name)"))
    }
    return entries.sorted { ($0.program, $0.file) < ($1.program, $1.file) }
  }

  private func page() throws -> String {
    var rows = ""
    var before: Entry?
    for entry in try entries() {
      rows += Self.row(entry, after: before?.program == entry.program ? before : nil)
      before = entry
    }
    return """
      \(Self.mark)
      <html lang="en"><meta charset="utf-8"><title>mosc: passes</title>
      <style>
        :root { color-scheme: light dark }
        body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem }
        td, th { padding: .1rem .8rem; text-align: left; vertical-align: top }
        td.n { text-align: right; font-variant-numeric: tabular-nums }
        pre { font: 12px/1.5 ui-monospace, monospace }
        .gone { background: #e443 } .come { background: #4a43 }
      </style>
      <h1>Modules after each pass</h1>
      <p>Each file is the module after the pass of its name. A pass that changed it shows the lines that differ; modules of more
      than \(Self.comparedLines) lines, as large networks have them, are too large for that, and the two files to compare
      are named.
      <table>
      <tr><th>program<th>file<th>pass<th>functions<th>kernels<th>ops<th>change</tr>
      \(rows)</table>
      </html>

      """
  }

  private static func row(_ entry: Entry, after before: Entry?) -> String {
    let lines = entry.text.split(separator: "\n")
    func count(_ prefix: String) -> Int { lines.count { $0.hasPrefix(prefix) } }
    let ops = lines.count { $0.hasPrefix("  ") && !$0.hasPrefix("  return") }
    var change = ""
    if let before {
      if before.text == entry.text {
        change = "none"
      } else if lines.count > comparedLines {
        change = "yes: too large to compare here; <code>diff \(escape(before.file)) \(escape(entry.file))</code>, or "
          + "<code>mosc compile … --emit=html</code>, whose Passes tab shows it layer by layer"
      } else {
        change = "<details><summary>yes</summary><pre>"
          + ChangePrinter.diff(before.text, entry.text).split(separator: "\n").map(marked)
          .joined(separator: "\n") + "</pre></details>"
      }
    }
    return "<tr><td>\(escape(entry.program))<td><a href=\"\(escape(entry.file))\">"
      + "\(escape(entry.file))</a><td>\(escape(entry.pass))<td class=n>\(count("func @"))"
      + "<td class=n>\(count("kernel @"))<td class=n>\(ops)<td>\(change)</tr>\n"
  }

  private static func marked(_ line: Substring) -> String {
    let text = escape(String(line))
    if line.hasPrefix("-") { return "<span class=gone>\(text)</span>" }
    if line.hasPrefix("+") { return "<span class=come>\(text)</span>" }
    return text
  }

  private static func escape(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: "\"", with: "&quot;")
  }
}
