/// A part of a prompt that may change from step to step.
indirect enum ScheduleNode: Hashable, Sendable {
  case text(String)
  /// Parts in a row, with the brackets around them as text.
  case group([ScheduleNode])
  /// `[before:after:when]` and `[after:when]`.
  case edit(before: [ScheduleNode], after: [ScheduleNode], when: String)
  /// `[a|b|c]`.
  case alternation([[ScheduleNode]])
}

/// Reads prompt editing and alternation.
///
/// A bracket or colon that belongs to none of them is text; what can be read is read, also beside
/// stray ones. A `|` outside `[ ]` or a lone backslash is an error to the original, which then
/// keeps the whole text as it is: here the result is nil.
struct ScheduleParser {
  private let source: Scalars
  private var known: [Int: Element?] = [:]

  private typealias Element = (node: ScheduleNode, end: Int)

  /// Brackets nested deeper than this are text.
  private static let depthLimit = 200

  private init(_ text: String) { source = text.scalars }

  /// The parts of a text; nil for one that cannot be read in full.
  static func parse(_ text: String) -> [ScheduleNode]? {
    var parser = ScheduleParser(text)
    return parser.read()
  }

  private mutating func read() -> [ScheduleNode]? {
    var nodes: [ScheduleNode] = []
    var place = 0
    while place < source.count {
      let (read, end) = sequence(from: place, depth: 0)
      nodes += read
      place = end
      if place < source.count {
        guard "[]():".unicodeScalars.contains(source[place]) else { return nil }
        nodes.append(.text(String(source[place])))
        place += 1
      }
    }
    return nodes
  }

  /// Texts and bracketed parts, up to what is neither.
  private mutating func sequence(from start: Int, depth: Int) -> ([ScheduleNode], end: Int) {
    var nodes: [ScheduleNode] = []
    var place = start
    while place < source.count {
      let end = plainEnd(place)
      if end > place {
        nodes.append(.text(source[place..<end].text))
        place = end
      } else if let element = element(at: place, depth: depth) {
        nodes.append(element.node)
        place = element.end
      } else {
        break
      }
    }
    return (nodes, place)
  }

  /// The end of a run without brackets, colons and bars; a backslash takes the next character,
  /// unless that is a line feed.
  private func plainEnd(_ start: Int) -> Int {
    var place = start
    while place < source.count {
      if source[place] == "\\" {
        guard place + 1 < source.count, source[place + 1] != "\n" else { break }
        place += 2
      } else if "[]():|".unicodeScalars.contains(source[place]) {
        break
      } else {
        place += 1
      }
    }
    return place
  }

  /// What begins with the bracket at a place, read only once.
  private mutating func element(at place: Int, depth: Int) -> Element? {
    if let known = known[place] { return known }
    guard depth < Self.depthLimit else { return nil }
    let result: Element? =
      switch source[place] {
      case "(": round(place, depth)
      case "[": square(place, depth)
      default: nil
      }
    known[place] = .some(result)
    return result
  }

  private func scalar(_ place: Int) -> Unicode.Scalar? {
    place < source.count ? source[place] : nil
  }

  /// `(a)` or `(a:b)`.
  private mutating func round(_ start: Int, _ depth: Int) -> Element? {
    let (first, end) = sequence(from: start + 1, depth: depth + 1)
    if scalar(end) == ")" { return (.group([.text("(")] + first + [.text(")")]), end + 1) }
    guard scalar(end) == ":" else { return nil }
    let (second, close) = sequence(from: end + 1, depth: depth + 1)
    guard scalar(close) == ")" else { return nil }
    return (.group([.text("(")] + first + [.text(":")] + second + [.text(")")]), close + 1)
  }

  /// `[a]`, `[a:b:5]`, `[a:5]` or `[a|b]`.
  private mutating func square(_ start: Int, _ depth: Int) -> Element? {
    let (first, end) = sequence(from: start + 1, depth: depth + 1)
    switch scalar(end) {
    case "]":
      return (.group([.text("[")] + first + [.text("]")]), end + 1)
    case ":":
      if let (when, close) = number(end + 1) {
        return (.edit(before: [], after: first, when: when), close)
      }
      let (second, colon) = sequence(from: end + 1, depth: depth + 1)
      guard scalar(colon) == ":", let (when, close) = number(colon + 1) else { return nil }
      return (.edit(before: first, after: second, when: when), close)
    case "|":
      var options = [first]
      var place = end
      while scalar(place) == "|" {
        let (option, next) = sequence(from: place + 1, depth: depth + 1)
        options.append(option)
        place = next
      }
      return scalar(place) == "]" ? (.alternation(options), place + 1) : nil
    default:
      return nil
    }
  }

  /// A number in ASCII with the bracket that follows, and the place after.
  private func number(_ start: Int) -> (text: String, end: Int)? {
    var place = start
    func skip(_ accepts: (Unicode.Scalar) -> Bool) -> Int {
      let first = place
      while let next = scalar(place), accepts(next) { place += 1 }
      return place - first
    }
    _ = skip(\.isSpace)
    let first = place
    if scalar(place) == "+" || scalar(place) == "-" { place += 1 }
    let whole = skip(\.isASCIIDigit)
    var fraction = 0
    if scalar(place) == "." {
      place += 1
      fraction = skip(\.isASCIIDigit)
    }
    guard whole + fraction > 0 else { return nil }
    if scalar(place) == "e" || scalar(place) == "E" {
      place += 1
      if scalar(place) == "+" || scalar(place) == "-" { place += 1 }
      guard skip(\.isASCIIDigit) > 0 else { return nil }
    }
    let text = source[first..<place].text
    _ = skip(\.isSpace)
    return scalar(place) == "]" ? (text, place + 1) : nil
  }
}
