/// A prompt of several parts that each guide the picture: `a cat AND a dog:0.5`.
package struct PromptComposition: Hashable, Sendable {
  /// A part and how strongly it guides.
  package struct Part: Hashable, Sendable {
    package var text: String
    package var weight: Double

    package init(_ text: String, _ weight: Double) { (self.text, self.weight) = (text, weight) }
  }

  package let parts: [Part]

  package init(_ parts: [Part]) { self.parts = parts }

  /// Splits a prompt at the word `AND`; brackets do not protect it.
  package init(_ prompt: String) {
    let source = prompt.scalars[...]
    var parts: [Part] = []
    var start = source.startIndex
    for word in PromptAttention.words("AND", in: source) {
      parts.append(Self.part(source[start..<word.lowerBound]))
      start = word.upperBound
    }
    self.init(parts + [Self.part(source[start...])])
  }

  /// A part with the `: number` at its end, which is always a weight, as its weight.
  private static func part(_ source: ArraySlice<Unicode.Scalar>) -> Part {
    let text = trimmedEnd(source)
    var start = text.endIndex
    while start > text.startIndex, text[start - 1] == "." || text[start - 1].digit != nil {
      start -= 1
    }
    // `..5` is no number, but the `.5` at its end is none after a colon either.
    let digits = text[start...]
    let points = digits.filter { $0 == "." }.count
    var begin = start
    if begin > text.startIndex, text[begin - 1] == "+" || text[begin - 1] == "-" { begin -= 1 }
    let before = trimmedEnd(text[..<begin])
    guard points <= 1, digits.count > points, before.last == ":",
      let weight = PythonNumber.double(text[begin...])
    else { return Part(text.text, 1) }
    return Part(trimmedEnd(before.dropLast()).text, weight)
  }

  private static func trimmedEnd(
    _ text: ArraySlice<Unicode.Scalar>
  ) -> ArraySlice<Unicode.Scalar> {
    text[..<((text.lastIndex { !$0.isSpace }).map { $0 + 1 } ?? text.startIndex)]
  }
}

/// The compositions of a batch of prompts with each distinct text once.
package struct CompositionBatch: Hashable, Sendable {
  /// A part of a prompt: which text, and how strongly.
  package struct Use: Hashable, Sendable {
    package var text: Int
    package var weight: Double
  }

  /// The distinct texts in the order in which they are first used.
  package private(set) var texts: [String] = []
  /// The parts of each prompt.
  package private(set) var uses: [[Use]] = []

  package init(_ prompts: [String]) {
    var known: [Scalars: Int] = [:]
    for prompt in prompts {
      uses.append(
        PromptComposition(prompt).parts.map { part in
          let key = part.text.scalars
          let index = known[key] ?? texts.count
          if index == texts.count { texts.append(part.text) }
          known[key] = index
          return Use(text: index, weight: part.weight)
        })
    }
  }
}
