import Foundation
import MoscFormats

/// A prompt that divides the picture into a grid, as the web UI's Regional Prompter reads it.
///
/// `common ADDCOMM base ADDBASE a ADDCOL b ADDROW c`: the common part goes before every other, the base
/// is the prompt of the whole picture, `ADDCOL` and `ADDROW` begin the next column and row. Without
/// these two, `BREAK` begins the next cell of the grid that the ratios draw. Source: README of
/// sd-webui-regional-prompter, sections "2D region assignment", "base prompt" and "common prompt".
package struct RegionalPrompterText: Hashable, Codable, Sendable {
  /// Which way the picture is cut first.
  package enum Division: String, CaseIterable, Hashable, Codable, Sendable {
    /// Rows first, each of them into columns.
    case columns
    /// Columns first, each of them into rows.
    case rows
  }

  package var division = Division.columns
  /// The sizes of the grid, such as `1,1;2,1`.
  package var ratios: String?
  /// The share of the base prompt in each cell, such as `0.2`; the last number counts on.
  package var baseRatios: String?

  /// Where a grid is not told by keywords, the words that tell that a prompt has one.
  package static let keywords = ["ADDCOMM", "ADDBASE", "ADDCOL", "ADDROW"]

  package init() {}

  /// What a prompt means.
  package struct Reading: Hashable, Sendable {
    /// The prompt of the whole picture, which shows where no region is.
    package var prompt: String
    package var regions: [Region]
  }

  /// Whether a prompt is to be read so.
  package func applies(to prompt: String) -> Bool {
    ratios != nil || Self.keywords.contains { !Self.split(prompt, at: $0).dropFirst().isEmpty }
  }

  /// Reads a prompt and its negative prompt.
  ///
  /// A negative prompt with `BREAK` or the keywords has a part for each cell, any other is that of all.
  /// - Throws: `PromptError` for keywords out of order, numbers that are none, and parts that do not fit.
  package func read(_ prompt: String, negative: String) throws(PromptError) -> Reading {
    var rest = prompt
    let common = try Self.take("ADDCOMM", from: &rest)
    let base = try Self.take("ADDBASE", from: &rest)
    let cells = try cells(rest)
    var reading = Reading(prompt: "", regions: [])
    func join(_ text: String) -> String {
      guard let common, !common.isEmpty else { return text }
      return text.isEmpty ? common : "\(common), \(text)"
    }
    let shares = try baseShares(cells.count, hasBase: base != nil)
    let negatives = try negatives(negative, cells.count)
    for (index, cell) in cells.enumerated() {
      var region = Region(name: "region \(index + 1)", prompt: join(cell.prompt))
      region.box = cell.box
      region.weight = 1 - shares[index]
      region.negative = negatives?[index]
      reading.regions.append(region)
    }
    // Without a base the cells fill the picture, and its own prompt is seen nowhere.
    reading.prompt = join(base ?? cells.map(\.prompt).joined(separator: ", "))
    return reading
  }

  // MARK: Parts

  /// The parts of a text between a word in capitals.
  private static func split(_ text: String, at word: String) -> [String] {
    var parts: [String] = []
    var current: [Substring] = []
    for piece in text.split(separator: " ", omittingEmptySubsequences: false) {
      for (index, line) in piece.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        if index > 0 { current.append("\n") }
        if line == word {
          parts.append(current.joined(separator: " "))
          current = []
        } else {
          current.append(line)
        }
      }
    }
    parts.append(current.joined(separator: " "))
    return parts.map { $0.trimmingCharacters(in: .whitespacesAndNewlines.union([","])) }
  }

  private static func take(_ word: String, from text: inout String) throws(PromptError) -> String? {
    let parts = split(text, at: word)
    guard parts.count > 1 else { return nil }
    guard parts.count == 2 else {
      throw PromptError("\(word) stands \(parts.count - 1) times in the prompt, expected once")
    }
    let early = keywords.first { $0 != word && split(parts[0], at: $0).count > 1 }
    if let early {
      throw PromptError("\(early) stands before \(word); the order is ADDCOMM, ADDBASE, then the regions")
    }
    text = parts[1]
    return parts[0]
  }

  // MARK: Grid

  private struct Cell {
    var prompt: String
    var box: RegionBox
  }

  private func cells(_ text: String) throws(PromptError) -> [Cell] {
    let hasColumns = Self.split(text, at: "ADDCOL").count > 1
    let hasRows = Self.split(text, at: "ADDROW").count > 1
    guard hasColumns || hasRows else { return try broken(text) }
    let (outer, inner) = division == .columns ? ("ADDROW", "ADDCOL") : ("ADDCOL", "ADDROW")
    let prompts = Self.split(text, at: outer).map { Self.split($0, at: inner) }
    let counts = prompts.map(\.count)
    var sizes = Grid(counts: counts)
    if let ratios {
      // One kind of keyword with commas alone: the numbers are those of that direction.
      if hasColumns != hasRows, !ratios.contains(";") {
        let numbers = try Self.numbers(ratios, "--region-ratios")
        if counts.count == 1 { sizes.inner[0] = numbers } else { sizes.outer = numbers }
      } else {
        sizes = try Grid(ratios)
      }
      try sizes.fit(counts)
    }
    return zip(prompts.flatMap { $0 }, sizes.boxes(division)).map { Cell(prompt: $0, box: $1) }
  }

  /// The cells of a prompt without keywords: the last part fills those that are left.
  private func broken(_ text: String) throws(PromptError) -> [Cell] {
    let prompts = Self.split(text, at: "BREAK")
    let boxes: [RegionBox]
    if let ratios {
      boxes = try Grid(ratios).boxes(division)
    } else {
      boxes = Grid(counts: [prompts.count]).boxes(division)
    }
    guard prompts.count <= boxes.count else {
      throw PromptError(
        "the prompt has \(prompts.count) parts for the \(boxes.count) cells of --region-ratios")
    }
    return boxes.enumerated().map { index, box in
      Cell(prompt: prompts[min(index, prompts.count - 1)], box: box)
    }
  }

  fileprivate static func numbers(
    _ text: some StringProtocol, _ option: String, atLeast least: Double = .leastNonzeroMagnitude
  ) throws(PromptError) -> [Double] {
    var result: [Double] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let word = part.trimmingCharacters(in: .whitespaces)
      guard let number = Double(word), number.isFinite, number >= least else {
        throw PromptError("\(option) \"\(text)\": expected positive numbers, found \"\(word)\"")
      }
      result.append(number)
    }
    return result
  }

  /// The share of the base prompt in each cell.
  private func baseShares(_ count: Int, hasBase: Bool) throws(PromptError) -> [Double] {
    // The original's own share of a base that has none.
    let text = baseRatios ?? (hasBase ? "0.2" : "0")
    let all = text.replacing(";", with: ",")
    let numbers = try Self.numbers(all, "--region-base-ratios", atLeast: 0)
    if let bad = numbers.first(where: { $0 > 1 }) {
      throw PromptError("--region-base-ratios \"\(text)\": expected shares from 0 to 1, found \(bad)")
    }
    guard hasBase || numbers.allSatisfy({ $0 == 0 }) else {
      throw PromptError("--region-base-ratios needs a base prompt: '… ADDBASE' in the prompt")
    }
    return (0..<count).map { numbers[min($0, numbers.count - 1)] }
  }

  private func negatives(_ text: String, _ count: Int) throws(PromptError) -> [String]? {
    var parts = [text]
    for word in ["ADDROW", "ADDCOL", "BREAK"] { parts = parts.flatMap { Self.split($0, at: word) } }
    if parts.count == 1 { return nil }
    guard parts.count == count else {
      throw PromptError(
        "the negative prompt has \(parts.count) parts for \(count) regions, expected one or \(count)")
    }
    return parts
  }
}

/// Sizes of a grid: bands, and the cells in each of them.
private struct Grid {
  var outer: [Double]
  var inner: [[Double]]

  /// Equal sizes.
  init(counts: [Int]) {
    outer = [Double](repeating: 1, count: counts.count)
    inner = counts.map { [Double](repeating: 1, count: $0) }
  }

  /// Of one band all numbers are cells; of several the first is the size of the band.
  init(_ text: String) throws(PromptError) {
    var bands: [[Double]] = []
    for band in text.split(separator: ";", omittingEmptySubsequences: false) {
      bands.append(try RegionalPrompterText.numbers(band, "--region-ratios"))
    }
    if bands.count == 1 {
      (outer, inner) = ([1], bands)
    } else {
      outer = bands.map { $0[0] }
      inner = bands.map { $0.count == 1 ? [1] : Array($0.dropFirst()) }
    }
  }

  /// Gives sizes to what the prompt has and the ratios do not say: 1.
  mutating func fit(_ counts: [Int]) throws(PromptError) {
    guard outer.count <= counts.count, zip(inner, counts).allSatisfy({ $0.count <= $1 }) else {
      throw PromptError(
        "--region-ratios has \(inner.map(\.count)) cells, the prompt has \(counts)")
    }
    while outer.count < counts.count { outer.append(1) }
    while inner.count < counts.count { inner.append([]) }
    for (index, count) in counts.enumerated() {
      while inner[index].count < count { inner[index].append(1) }
    }
  }

  func boxes(_ division: RegionalPrompterText.Division) -> [RegionBox] {
    func edges(_ sizes: [Double]) -> [(Double, Double)] {
      let sum = sizes.reduce(0, +)
      var start = 0.0
      return sizes.enumerated().map { index, size in
        let end = index == sizes.count - 1 ? 1 : start + size / sum
        defer { start = end }
        return (start, end)
      }
    }
    return zip(edges(outer), inner).flatMap { band, cells in
      edges(cells).map { cell in
        division == .columns
          ? RegionBox(left: cell.0, top: band.0, right: cell.1, bottom: band.1)
          : RegionBox(left: band.0, top: cell.0, right: band.1, bottom: cell.1)
      }
    }
  }
}
