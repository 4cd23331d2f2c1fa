/// The errors that a program is to be refused with, as comments where they belong.
///
///     %y = add(%x) : f32[4]  // error: op.arity
///     // error: there is no op
///     %z = sillu(%x) : f32[4]
///     //! error: verify.tensor
///
/// A comment at the end of a line is about that line, one that stands alone about the next line of the
/// program, and one with `//!` about an error without a line. It is an id, or a part of a message.
package struct ErrorComments {
  /// An error that was reported.
  package struct Found: Sendable {
    package let line: Int?
    package let id: String
    package let message: String

    /// An error with its line, if it has one.
    package init(line: Int?, id: String, message: String) {
      (self.line, self.id, self.message) = (line, id, message)
    }
  }

  private struct Comment {
    var line: Int?
    var text: String

    func fits(_ error: Found) -> Bool {
      line == error.line && (text == error.id || error.message.contains(text))
    }
  }

  private let program: TestFile.Program
  private var comments: [Comment] = []
  /// The program's lines without the comments, each with its number in the file.
  private var code: [(number: Int, line: Substring)] = []

  /// Reads the comments of a program.
  package init(_ program: TestFile.Program) throws {
    self.program = program
    var waiting: [String] = []
    for (index, line) in program.lines.enumerated() {
      let number = program.offset + index + 1
      guard let match = line.firstMatch(of: /\ *\/\/(!?) error:(.*)$/) else {
        comments += waiting.map { Comment(line: number, text: $0) }
        waiting = []
        code.append((number, line))
        continue
      }
      let text = String(match.2.drop { $0 == " " })
      guard !text.isEmpty else { throw TestFile.Failure("line \(number): which error?") }
      let before = line[..<match.range.lowerBound]
      if match.1 == "!" {
        comments.append(Comment(line: nil, text: text))
      } else if before.isEmpty {
        waiting.append(text)
      } else {
        comments += (waiting + [text]).map { Comment(line: number, text: $0) }
        waiting = []
        code.append((number, before))
      }
    }
    if let text = waiting.first { throw TestFile.Failure("no line follows 'error: \(text)'") }
  }

  /// - Throws: `TestFile.Outdated` unless each comment has its error and each error its comment.
  package func check(_ found: [Found]) throws {
    if found.isEmpty { throw TestFile.Failure("line \(program.offset + 1): nothing is refused") }
    var missing = comments
    var problems: [String] = []
    /// The errors as comments; those that were right stay as they are.
    var right: [Comment] = []
    for error in found {
      if let index = missing.firstIndex(where: { $0.fits(error) }) {
        right.append(missing.remove(at: index))
      } else {
        right.append(Comment(line: error.line, text: error.id))
        problems.append("\(Self.name(error.line)): not expected: \(error.message) [\(error.id)]")
      }
    }
    problems += missing.map { "\(Self.name($0.line)): not reported: \($0.text)" }
    if problems.isEmpty { return }
    throw TestFile.Outdated(problems.joined(separator: "\n"), lines: lines(with: right))
  }

  private static func name(_ line: Int?) -> String { line.map { "line \($0)" } ?? "no line" }

  /// The program with the given comments: at the end of a line where there is room.
  private func lines(with comments: [Comment]) -> [Substring] {
    code.flatMap { number, line -> [Substring] in
      let nowhere = line == "mosc 1" ? comments.filter { $0.line == nil } : []
      let above = nowhere.map { "//! error: \($0.text)"[...] }
      let here = comments.filter { $0.line == number }.map(\.text)
      if here.count == 1, line.count + here[0].count < 100 {
        return above + ["\(line)  // error: \(here[0])"]
      }
      let indent = line.prefix { $0 == " " }
      return above + here.map { "\(indent)// error: \($0)" } + [line]
    }
  }
}
