import Foundation
import MoscFormats
import Synchronization

/// What a long command is doing.
package enum Phase: String, CaseIterable, Hashable, Sendable {
  case load, compile, encode, step, decode, run, train
}

/// Messages and progress on standard error: plain lines, one rewritten line on a terminal, or
/// JSON lines.
///
/// On standard output are only the names of results. No message changes a result.
package final class Reporter: Sendable {
  package let verbosity: Verbosity
  package let format: LogFormat
  /// Receives phases, passes and denoising steps; nil for nobody.
  package let trace: TimeTrace?
  private let isTerminal: Bool
  private let sink: @Sendable (String) -> Void
  private let results: @Sendable (String) throws -> Void
  private let state = Mutex(State())
  /// Warnings that were given.
  private let given: Given

  /// Kinds of warnings that were given, shared with reporters to the same place.
  private final class Given: Sendable {
    let kinds = Mutex<Set<String>>([])
  }

  private struct State {
    var starts: [Phase: ContinuousClock.Instant] = [:]
    /// When the first part of a phase was done, and how many were by then.
    var firsts: [Phase: (time: ContinuousClock.Instant, done: Int)] = [:]
    var lastLine: [Phase: ContinuousClock.Instant] = [:]
    /// The end of the last denoising step.
    var lastStep: ContinuousClock.Instant?
    var hasOpenLine = false
  }

  /// - Parameters:
  ///   - sink: receives the text instead of standard error, for tests.
  ///   - results: receives the names of results instead of standard output; with a sink nobody does
  ///     unless told.
  package convenience init(
    verbosity: Verbosity = .normal, format: LogFormat = .text, trace: TimeTrace? = nil,
    sink: (@Sendable (String) -> Void)? = nil,
    results: (@Sendable (String) throws -> Void)? = nil
  ) {
    let standardError: @Sendable (String) -> Void = { text in
      try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
    self.init(
      verbosity: verbosity, format: format, trace: trace,
      isTerminal: sink == nil && format == .text && Self.standardErrorRewrites,
      sink: sink ?? standardError,
      results: results ?? { name in
        if sink == nil { try StandardOutput.write(Data(name.utf8)) }
      }, given: Given())
  }

  private init(
    verbosity: Verbosity, format: LogFormat, trace: TimeTrace?, isTerminal: Bool,
    sink: @escaping @Sendable (String) -> Void, results: @escaping @Sendable (String) throws -> Void,
    given: Given
  ) {
    (self.verbosity, self.format, self.trace, self.isTerminal) = (verbosity, format, trace, isTerminal)
    (self.sink, self.results, self.given) = (sink, results, given)
  }

  /// Whether standard error is a terminal on which a line can be written again.
  private static var standardErrorRewrites: Bool {
    let terminal = ProcessInfo.processInfo.environment["TERM"] ?? "dumb"
    return isatty(STDERR_FILENO) == 1 && terminal != "dumb" && !terminal.isEmpty
  }

  /// A reporter that says nothing.
  package static let silent = Reporter(verbosity: .quiet, sink: { _ in })

  /// A reporter to the same place that says only what ends the command, and no names of results.
  package var quiet: Reporter {
    Reporter(
      verbosity: .quiet, format: format, trace: nil, isTerminal: false, sink: sink, results: { _ in },
      given: given)
  }

  /// A reporter to the same place that says only what users must know.
  package var quieter: Reporter {
    Reporter(
      verbosity: min(verbosity, .warnings), format: format, trace: nil, isTerminal: false, sink: sink,
      results: results, given: given)
  }

  // MARK: Messages

  /// Says something worth knowing once.
  package func info(_ message: String) { say("info", message, from: .normal) }

  /// Says something that only a curious user wants.
  package func detail(_ message: String) { say("detail", message, from: .verbose) }

  /// Says that something is not as the user may expect, once in a run.
  ///
  /// - Parameter kind: what of several like warnings only the first is given of.
  package func warn(_ message: String, kind: String? = nil) {
    let isNew = given.kinds.withLock { $0.insert(kind ?? message).inserted }
    if isNew { say("warning", message, from: .warnings) }
  }

  /// Warns of what others could do to the user, which a quiet run says, too.
  package func alert(_ message: String) {
    let isNew = given.kinds.withLock { $0.insert(message).inserted }
    if isNew { say("warning", message, from: .quiet) }
  }

  /// Reports the failure that ends the command.
  package func error(_ message: String) { say("error", message, from: .quiet) }

  /// Writes a text that was asked for, such as a printed module, whatever the verbosity.
  package func print(_ text: String) { line(text) }

  /// Says on standard output, whatever the verbosity, where a result is, for scripts to read.
  ///
  /// Standard output that is the result itself gets no name.
  package func result(_ path: String) throws {
    if path == "-" { return }
    if format == .json, verbosity >= .normal {
      json([("event", .string("result")), ("path", .string(path))])
    }
    clearLine()
    try results("\(path)\n")
  }

  private func say(_ kind: String, _ message: String, from level: Verbosity) {
    if verbosity < level { return }
    switch format {
    case .text:
      // Diagnostics of texts say themselves what they are, behind their place.
      let saysSo = message.hasPrefix("error: ") || message.contains(#/^\S+:\d+:\d+: /#)
      let prefix = (kind == "warning" || kind == "error") && !saysSo ? "\(kind): " : ""
      line("\(prefix)\(message)")
    case .json:
      json([("event", .string(kind)), ("message", .string(message))])
    }
  }

  // MARK: Progress

  /// Runs a phase and says how long it took.
  package func phase<Result>(
    _ phase: Phase, _ what: String, _ body: () throws -> Result
  ) rethrows -> Result {
    begin(phase, what)
    let result = try body()
    end(phase, what)
    return result
  }

  /// Says that a phase starts.
  package func begin(_ phase: Phase, _ what: String) {
    state.withLock {
      $0.starts[phase] = .now
      $0.firsts[phase] = nil
      $0.lastLine[phase] = nil
      if phase == .step { $0.lastStep = .now }
    }
    switch format {
    case .json:
      if verbosity >= .normal {
        json([
          ("event", .string("begin")), ("phase", .string(phase.rawValue)), ("what", .string(what)),
        ])
      }
    case .text:
      if isTerminal && verbosity >= .normal { rewrite("\(phase.rawValue): \(what) …") }
    }
  }

  /// Says how far a phase is, with the time left at the average speed since its first part was done, which
  /// takes longer than the others.
  ///
  /// On a terminal the line is rewritten, at most ten times a second; elsewhere a line is written at most
  /// every two seconds, and for denoising at its first step. Every step is an event.
  package func progress(_ phase: Phase, _ what: String, done: Int, of total: Int) {
    let now = ContinuousClock.now
    if phase == .step, let trace {
      let start = state.withLock { state in
        defer { state.lastStep = now }
        return state.lastStep ?? now
      }
      trace.add("\(what) \(done)", lane: "steps", since: start)
    }
    guard verbosity >= .normal, total > 0 else { return }
    let (elapsed, left, isDue) = state.withLock { state in
      let start = state.starts[phase] ?? now
      let last = state.lastLine[phase]
      let isStep = phase == .step && (format == .json || last == nil)
      let isEnd = done == total && (isTerminal || format == .json || last != nil)
      let isDue = isStep || isEnd || now - (last ?? start) > (isTerminal ? .milliseconds(100) : .seconds(2))
      if isDue { state.lastLine[phase] = now }
      let first = state.firsts[phase]
      if first == nil { state.firsts[phase] = (now, done) }
      let left = first.flatMap { first in
        done > first.done
          ? (now - first.time).seconds / Double(done - first.done) * Double(total - done) : nil
      }
      return ((now - start).seconds, left, isDue)
    }
    if !isDue { return }
    switch format {
    case .json:
      json([
        ("event", .string("progress")), ("phase", .string(phase.rawValue)),
        ("what", .string(what)), ("done", .int(done)), ("total", .int(total)),
        ("seconds", .rounded(elapsed)), ("eta_seconds", left.map { .rounded($0) } ?? .null),
      ])
    case .text:
      // What is over in a moment needs no estimate.
      let eta = left.map { done < total && elapsed + $0 >= 1 ? ", \(Self.duration($0)) left" : "" } ?? ""
      let text = "\(phase.rawValue): \(what) \(done)/\(total), \(Self.duration(elapsed))\(eta)"
      if isTerminal { rewrite(text) } else { line(text) }
    }
  }

  /// Says that a phase is over.
  package func end(_ phase: Phase, _ what: String) {
    let start = state.withLock { $0.starts.removeValue(forKey: phase) }
    if let start { trace?.add("\(phase.rawValue): \(what)", lane: "phases", since: start) }
    guard verbosity >= .normal else { return }
    let elapsed = start.map { (ContinuousClock.now - $0).seconds } ?? 0
    switch format {
    case .json:
      json([
        ("event", .string("end")), ("phase", .string(phase.rawValue)), ("what", .string(what)),
        ("seconds", .rounded(elapsed)),
      ])
    case .text:
      // Short phases would only push the interesting ones off the screen.
      if elapsed >= 0.1 || verbosity >= .verbose {
        line("\(phase.rawValue): \(what), \(Self.duration(elapsed))")
      } else if isTerminal {
        rewrite("")
      }
    }
  }

  private func json(_ fields: [(String, JSONValue)]) {
    line(JSONValue.fields(fields).description)
  }

  private func line(_ text: String) {
    clearLine()
    sink(text + "\n")
  }

  private func clearLine() {
    let isOpen = state.withLock { state in
      defer { state.hasOpenLine = false }
      return state.hasOpenLine
    }
    if isOpen { sink("\r\u{1b}[K") }
  }

  private func rewrite(_ text: String) {
    state.withLock { $0.hasOpenLine = !text.isEmpty }
    sink("\r\u{1b}[K" + text)
  }

  /// Seconds as people read them: `0.42 s`, `12.3 s`, `2 min 5 s`.
  package static func duration(_ seconds: Double) -> String {
    if seconds < 1 { return String(format: "%.2f s", seconds) }
    if seconds < 60 { return String(format: "%.1f s", seconds) }
    let whole = Int(exactly: seconds.rounded()) ?? .max
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }
}

extension JSONValue {
  /// A number rounded to a millionth, below the noise of every clock.
  package static func rounded(_ number: Double) -> JSONValue {
    .double((number * 1e6).rounded() / 1e6)
  }

  /// An object with its keys in the given order.
  package static func fields(_ fields: [(String, JSONValue)]) -> JSONValue {
    .object(fields.map { Member($0.0, $0.1) })
  }
}

extension Duration {
  /// The duration in seconds.
  package var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
