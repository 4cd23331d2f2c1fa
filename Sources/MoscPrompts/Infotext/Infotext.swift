import Foundation

/// The generation parameters of a picture as A1111's own reader gives them, with what it adds.
package struct Infotext: Hashable, Sendable {
  /// A value: text that was read, or what the reader added.
  package enum Value: Hashable, Sendable {
    case text(String)
    case number(Int)
    case flag(Bool)

    /// As Python would print it.
    package var text: String {
      switch self {
      case .text(let text): text
      case .number(let number): "\(number)"
      case .flag(let flag): flag ? "True" : "False"
      }
    }
  }

  /// A name with its value.
  package struct Field: Hashable, Sendable {
    package var name: String
    package var value: Value
  }

  /// The values in the order in which they were read and added; names are unique.
  package private(set) var fields: [Field] = []
  /// Names whose value is empty, which the reader gives up on.
  package private(set) var dropped: [String] = []

  package subscript(name: String) -> Value? { fields.first { $0.name == name }?.value }

  private mutating func set(_ name: String, _ value: Value) {
    let key = name.scalars
    if let index = fields.firstIndex(where: { $0.name.scalars == key }) {
      fields[index].value = value
    } else {
      fields.append(Field(name: name, value: value))
    }
  }

  private mutating func add(_ name: String, _ value: Value) {
    if self[name] == nil { set(name, value) }
  }

  /// Reads a text.
  ///
  /// - Throws: `PromptSyntaxError` for a prompt with a weight that is no number, and for sizes that
  ///   cannot be.
  package init(reading text: String) throws(PromptSyntaxError) {
    var lines = Scalars(text.scalars.stripped)
      .split(separator: "\n", omittingEmptySubsequences: false).map { Scalars($0) }
    // The last line holds parameters if there are three of them.
    let last = lines.last.map { InfotextSyntax.pairs($0) } ?? []
    let hasParameters = last.count >= 3
    if hasParameters { lines.removeLast() }
    let (prompt, negative) = Self.prompts(lines)
    if hasParameters { for pair in last { read(pair.name.text, pair.value.text) } }
    readSecondPass(prompt, negative)
    set("Prompt", .text(prompt))
    set("Negative prompt", .text(negative))
    try addDefaults(prompt, negative)
    addCompatibility()
  }

  private static func prompts(_ lines: [Scalars]) -> (prompt: String, negative: String) {
    let marker = "Negative prompt:".scalars
    var texts: [Scalars] = [[], []]
    var current = 0
    for line in lines {
      var line = Scalars(line.stripped)
      if line.starts(with: marker) {
        current = 1
        line = Scalars(line.dropFirst(marker.count).stripped)
      }
      texts[current] += (texts[current].isEmpty ? [] : ["\n"]) + line
    }
    return (texts[0].text, texts[1].text)
  }

  private mutating func read(_ name: String, _ written: String) {
    guard !written.isEmpty else {
      if !dropped.contains(name) { dropped.append(name) }
      return
    }
    let value = InfotextSyntax.unquote(written)
    if let (first, second) = InfotextSyntax.size(value) {
      set("\(name)-1", .text(first))
      set("\(name)-2", .text(second))
    } else {
      set(name, .text(value))
    }
  }

  /// A second pass with the prompts of the first says so by empty ones.
  private mutating func readSecondPass(_ prompt: String, _ negative: String) {
    let (own, ownNegative) = (self["Hires prompt"], self["Hires negative prompt"])
    guard own != nil || ownNegative != nil else { return }
    if let version = ProgramVersion(self["Version"]?.text), version <= .secondPassStyles { return }
    func same(_ a: String, _ b: String) -> Bool { a.scalars == b.scalars }
    let text = own?.text ?? prompt
    let negativeText = ownNegative?.text ?? negative
    set("Hires prompt", .text(same(text, prompt) ? "" : text))
    set("Hires negative prompt", .text(same(negativeText, negative) ? "" : negativeText))
  }

  private mutating func addDefaults(
    _ prompt: String, _ negative: String
  ) throws(PromptSyntaxError) {
    add("Clip skip", .text("1"))
    if let network = self["Hypernet"]?.text {
      let strength = self["Hypernet strength"]?.text ?? "1.0"
      set("Prompt", .text("\(prompt)<hypernet:\(network):\(strength)>"))
    }
    if self["Hires resize-1"] == nil {
      set("Hires resize-1", .number(0))
      set("Hires resize-2", .number(0))
    }
    for (name, value) in Self.defaultsBeforeSizes { add(name, value) }
    try restoreFirstPass()
    for (name, value) in Self.defaultsAfterSizes { add(name, value) }
    if self["FP8 weight"] != .text("Disable") { add("Cache FP16 weight for LoRA", .flag(false)) }
    let texts = try PromptAttention.parse(prompt) + PromptAttention.parse(negative)
    if texts.contains(where: { $0.weight != 1 && $0.text != WeightedText.breakWord }) {
      add("Emphasis", .text("Original"))
    }
    add("Refiner switch by sampling steps", .flag(false))
  }

  private static let defaultsBeforeSizes: [(String, Value)] = [
    ("Hires sampler", .text("Use same sampler")),
    ("Hires schedule type", .text("Use same scheduler")),
    ("Hires checkpoint", .text("Use same checkpoint")),
    ("Hires prompt", .text("")), ("Hires negative prompt", .text("")),
    ("Mask mode", .text("Inpaint masked")), ("Masked content", .text("original")),
    ("Inpaint area", .text("Whole picture")), ("Masked area padding", .number(32)),
  ]

  private static let defaultsAfterSizes: [(String, Value)] = [
    ("RNG", .text("GPU")), ("Schedule type", .text("Automatic")),
    ("Schedule max sigma", .number(0)), ("Schedule min sigma", .number(0)),
    ("Schedule rho", .number(0)), ("VAE Encoder", .text("Full")), ("VAE Decoder", .text("Full")),
    ("FP8 weight", .text("Disable")),
  ]

  /// Old pictures give the size of the second pass as theirs and that of the first apart.
  private mutating func restoreFirstPass() throws(PromptSyntaxError) {
    guard let first = self["First pass size-1"]?.text, let second = self["First pass size-2"]?.text
    else { return }
    func size(_ text: String) throws(PromptSyntaxError) -> Int {
      guard let value = PythonNumber.int(text.scalars) else {
        throw PromptSyntaxError(.value, "expected a picture size, found '\(text)'")
      }
      return value
    }
    var (width, height) = (try size(first), try size(second))
    let whole = (
      width: try size(self["Size-1"]?.text ?? "512"),
      height: try size(self["Size-2"]?.text ?? "512")
    )
    if width == 0 || height == 0 {
      (width, height) = try Self.defaultFirstPass(whole.width, whole.height)
    }
    set("Size-1", .number(width))
    set("Size-2", .number(height))
    set("Hires resize-1", .number(whole.width))
    set("Hires resize-2", .number(whole.height))
  }

  /// A size of about 512² in multiples of 64 with the same proportions.
  private static func defaultFirstPass(
    _ width: Int, _ height: Int
  ) throws(PromptSyntaxError) -> (Int, Int) {
    let area = Double(width) * Double(height)
    guard area > 0 else {
      throw PromptSyntaxError(.division, "a picture of \(width)x\(height) has no first pass")
    }
    let scale = (512.0 * 512 / area).squareRoot()
    func rounded(_ side: Int) -> Int { Int((scale * Double(side) / 64).rounded(.up)) * 64 }
    return (rounded(width), rounded(height))
  }

  /// Switches that redraw pictures of versions that did things differently.
  private mutating func addCompatibility() {
    guard let version = ProgramVersion(self["Version"]?.text) else { return }
    if version < .newTimelines {
      if self["Prompt"]?.text.unicodeScalars.contains("[") == true {
        set("Old prompt editing timelines", .flag(true))
      }
      if ["DDIM", "PLMS"].contains(self["Sampler"]?.text) { set("Pad conds v0", .flag(true)) }
    }
    if version < .exactAlphas { set("Downcast alphas_cumprod", .flag(true)) }
    if version < .refinerBySteps, self["Refiner"]?.text.isEmpty == false {
      set("Refiner switch by sampling steps", .flag(true))
    }
  }
}
