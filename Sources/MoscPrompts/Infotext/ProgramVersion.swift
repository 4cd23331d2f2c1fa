/// A program version as Python packages order them (PEP 440): `v1.6.0-2-g4afaaf8a` is the second
/// revision after 1.6.0.
package struct ProgramVersion: Hashable, Comparable, Sendable {
  static let newTimelines = ProgramVersion(release: [1, 6])
  static let exactAlphas = ProgramVersion(release: [1, 7], post: 225)
  static let refinerBySteps = ProgramVersion(release: [1, 8])
  static let secondPassStyles = ProgramVersion(release: [1, 8], post: 139)

  private var epoch = 0
  /// The numbers between points, without zeros at the end.
  private var release: [Int]
  /// The kind of a pre-release (alpha, beta, candidate) and its number.
  private var pre: [Int]?
  private var post: Int?
  private var development: Int?
  private var local: [String] = []

  private init(release: [Int], post: Int? = nil) { (self.release, self.post) = (release, post) }

  /// Reads a version; nil for what is none, such as `ComfyUI`.
  package init?(_ text: String?) {
    guard let text else { return nil }
    var scalars = text.scalars[...]
    // `git describe` adds the commit after a second hyphen.
    let parts = scalars.split(separator: "-", omittingEmptySubsequences: false)
    if parts.count > 2, !parts[0].isEmpty, !parts[1].isEmpty {
      scalars = scalars[..<parts[1].endIndex]
    }
    var reader = VersionReader(scalars.stripped.text.lowercased().scalars)
    guard let numbers = reader.release() else { return nil }
    epoch = numbers.epoch
    release = numbers.release
    pre = reader.pre()
    post = reader.post()
    development = reader.number(after: ["dev"])
    local = reader.local()
    guard reader.isAtEnd else { return nil }
    while release.last == 0 { release.removeLast() }
  }

  /// What decides, in order. A development version comes before its release, a revision after it.
  private var key: [[Int]] {
    let preKey: [Int] =
      if let pre { pre } else if post == nil && development != nil { [-1] } else { [99] }
    return [
      [epoch], release, preKey, [post ?? -1], [development ?? Int.max],
    ]
  }

  package static func < (a: ProgramVersion, b: ProgramVersion) -> Bool {
    for (left, right) in zip(a.key, b.key) where left != right {
      return left.lexicographicallyPrecedes(right)
    }
    return a.local.lexicographicallyPrecedes(b.local)
  }
}

/// Reads the parts of a version in lower case.
private struct VersionReader {
  private var rest: ArraySlice<Unicode.Scalar>

  init(_ text: Scalars) { rest = text[...] }

  var isAtEnd: Bool { rest.isEmpty }

  private mutating func digits() -> Int? {
    let digits = rest.prefix(while: \.isASCIIDigit)
    guard let number = Int(digits.text) else { return nil }
    rest = rest.dropFirst(digits.count)
    return number
  }

  private mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
    guard rest.first == scalar else { return false }
    rest.removeFirst()
    return true
  }

  mutating func release() -> (epoch: Int, release: [Int])? {
    _ = accept("v")
    guard var number = digits() else { return nil }
    var epoch = 0
    if accept("!") {
      epoch = number
      guard let first = digits() else { return nil }
      number = first
    }
    var release = [number]
    while rest.first == ".", rest.dropFirst().first?.isASCIIDigit == true {
      rest.removeFirst()
      guard let next = digits() else { return nil }
      release.append(next)
    }
    return (epoch, release)
  }

  private static func isSeparator(_ scalar: Unicode.Scalar?) -> Bool {
    scalar == "." || scalar == "-" || scalar == "_"
  }

  /// The number after one of some words, 0 if there is none; nil without the word.
  mutating func number(after words: [String]) -> Int? {
    let body = Self.isSeparator(rest.first) ? rest.dropFirst() : rest
    guard let word = words.first(where: { body.starts(with: $0.unicodeScalars) }) else {
      return nil
    }
    rest = body.dropFirst(word.unicodeScalars.count)
    let before = rest
    if Self.isSeparator(rest.first) { rest.removeFirst() }
    if let number = digits() { return number }
    rest = before
    return 0
  }

  mutating func pre() -> [Int]? {
    let kinds = [["alpha", "a"], ["beta", "b"], ["preview", "pre", "rc", "c"]]
    for (kind, words) in kinds.enumerated() {
      if let number = number(after: words) { return [kind, number] }
    }
    return nil
  }

  mutating func post() -> Int? {
    if rest.first == "-", rest.dropFirst().first?.isASCIIDigit == true {
      rest.removeFirst()
      return digits()
    }
    return number(after: ["post", "rev", "r"])
  }

  /// The parts after `+`.
  mutating func local() -> [String] {
    guard rest.first == "+" else { return [] }
    let parts = rest.dropFirst().split(omittingEmptySubsequences: false) { Self.isSeparator($0) }
    guard
      parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0.isASCIIDigit || "a"..."z" ~= $0 } })
    else { return [] }
    rest = []
    return parts.map(\.text)
  }
}
