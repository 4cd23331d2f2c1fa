/// What a prompt says at which steps.
package struct PromptSchedule: Hashable, Sendable {
  /// A text and the last step that reads it, counted from 1.
  package struct Entry: Hashable, Sendable {
    package var end: Int
    package var text: String

    package init(end: Int, _ text: String) { (self.end, self.text) = (end, text) }
  }

  /// How steps are counted.
  package struct Timing: Hashable, Sendable {
    /// The steps of the first pass.
    package var steps: Int
    /// The steps of a second pass at a higher resolution; nil for the first pass.
    package var secondPassSteps: Int?
    /// Whether numbers are read as before version 1.6 of the web UI: below 1 a fraction, else a
    /// step, the second pass like the first.
    package var isOld = false

    package init(steps: Int, secondPassSteps: Int? = nil, isOld: Bool = false) {
      (self.steps, self.secondPassSteps, self.isOld) = (steps, secondPassSteps, isOld)
    }

    /// The steps of this pass.
    package var count: Int { isOld ? steps : secondPassSteps ?? steps }

    /// The last step before a change, cut at the last step of all; less than 1 for a change before
    /// the first.
    ///
    /// - Throws: `PromptSyntaxError` for a number without end.
    func step(_ text: String) throws(PromptSyntaxError) -> Int {
      var value = PythonNumber.double(text.scalars) ?? .nan
      let isSecond = secondPassSteps != nil && !isOld
      if isOld ? value < 1 : text.contains(".") {
        value = (value - (isSecond ? 1 : 0)) * Double(count)
      } else {
        value -= isSecond ? Double(steps) : 0
      }
      guard value.isFinite else {
        throw PromptSyntaxError(
          .overflow, "the step '\(text)' of a scheduled prompt is no finite number")
      }
      return value >= Double(count) ? count : Int(max(value.rounded(.towardZero), -1))
    }
  }

  /// The texts in order; the last one ends at the last step.
  package let entries: [Entry]

  package init(_ entries: [Entry]) { self.entries = entries }

  /// Reads a prompt.
  ///
  /// - Throws: `PromptSyntaxError` for a step that is infinite.
  package init(_ prompt: String, _ timing: Timing) throws(PromptSyntaxError) {
    // Only `[` begins anything that changes.
    guard prompt.unicodeScalars.contains("["), let nodes = ScheduleParser.parse(prompt) else {
      self.init([Entry(end: timing.count, prompt)])
      return
    }
    var ends: Set<Int> = [timing.count]
    let timed = try nodes.map { node throws(PromptSyntaxError) in
      try TimedNode(node, timing, &ends)
    }
    self.init(ends.sorted().map { end in Entry(end: end, timed.map { $0.text(at: end) }.joined()) })
  }

  /// Whether the text is the same at every step.
  package var isConstant: Bool { Set(entries.map { $0.text.scalars }).count == 1 }

  /// The entry that the sampler reads at a step counted from 0.
  ///
  /// As in the original, the 0-based step is compared with 1-based ends, so that the first text
  /// lasts a step longer; after the last end the first text is read again.
  package func index(at step: Int) -> Int {
    entries.firstIndex { step <= $0.end } ?? 0
  }

  /// The text that the sampler reads at a step counted from 0.
  package func text(at step: Int) -> String { entries[index(at: step)].text }
}

/// A part whose changes are at known steps.
private indirect enum TimedNode {
  case text(String)
  case group([TimedNode])
  case edit(before: [TimedNode], after: [TimedNode], end: Int)
  case alternation([[TimedNode]])

  /// - Parameter ends: receives the steps after which the text changes.
  init(
    _ node: ScheduleNode, _ timing: PromptSchedule.Timing, _ ends: inout Set<Int>
  ) throws(PromptSyntaxError) {
    switch node {
    case .text(let text):
      self = .text(text)
    case .group(let nodes):
      self = .group(try Self.list(nodes, timing, &ends))
    case .edit(let before, let after, let when):
      let end = try timing.step(when)
      if end >= 1 { ends.insert(end) }
      self = .edit(
        before: try Self.list(before, timing, &ends), after: try Self.list(after, timing, &ends),
        end: end)
    case .alternation(let options):
      if timing.count >= 1 { ends.formUnion(1...timing.count) }
      var lists: [[TimedNode]] = []
      for option in options { lists.append(try Self.list(option, timing, &ends)) }
      self = .alternation(lists)
    }
  }

  private static func list(
    _ nodes: [ScheduleNode], _ timing: PromptSchedule.Timing, _ ends: inout Set<Int>
  ) throws(PromptSyntaxError) -> [TimedNode] {
    var result: [TimedNode] = []
    for node in nodes { result.append(try TimedNode(node, timing, &ends)) }
    return result
  }

  func text(at step: Int) -> String {
    switch self {
    case .text(let text): text
    case .group(let nodes): nodes.map { $0.text(at: step) }.joined()
    case .edit(let before, let after, let end):
      (step <= end ? before : after).map { $0.text(at: step) }.joined()
    case .alternation(let options):
      options[(step - 1 + options.count) % options.count].map { $0.text(at: step) }.joined()
    }
  }
}
