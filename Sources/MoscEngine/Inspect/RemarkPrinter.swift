import MoscCodegen
import MoscPasses
import MoscReport
import Synchronization

/// Prints the remarks of passes and code generation that `--remarks` asks for, each once.
package final class RemarkPrinter: Sendable {
  private let pattern: String?
  private let reporter: Reporter
  private let printed = Mutex(Set<String>())

  /// - Throws: a usage error for what is not a regular expression.
  package init(_ options: CompilationOptions, _ reporter: Reporter) throws {
    pattern = options.shows.remarks
    self.reporter = reporter
    _ = try expression()
  }

  private func expression() throws -> Regex<AnyRegexOutput>? {
    guard let pattern else { return nil }
    do {
      return try Regex(pattern)
    } catch {
      throw CommandError.usage("--remarks '\(pattern)': is not a regular expression")
    }
  }

  package func print(_ remarks: [Remark]) throws {
    try print(remarks.map { ($0.id, "\($0)") }, isDebugging: reporter.verbosity >= .debug)
  }

  package func print(_ remarks: [CodeRemark]) throws {
    try print(remarks.map { ($0.id, "\($0)") }, isDebugging: false)
  }

  private func print(_ remarks: [(id: String, text: String)], isDebugging: Bool) throws {
    let expression = try expression()
    for (id, text) in remarks
    where isDebugging || expression.map({ id.contains($0) }) == true {
      if printed.withLock({ $0.insert(text).inserted }) { reporter.print(text) }
    }
  }
}
