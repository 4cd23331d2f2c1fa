import Foundation

/// A prompt with a line for each part of the picture, as Forge Couple reads it.
///
/// Lines share the picture evenly from left to right or from top to bottom; one of them may be the
/// background, which shows through all others. Source: README of sd-forge-couple, "Basic Mode".
package struct CoupledLines: Hashable, Codable, Sendable {
  package enum Direction: String, CaseIterable, Hashable, Codable, Sendable {
    /// Side by side.
    case horizontal
    /// One below the other.
    case vertical
  }

  /// The line that is the prompt of the whole picture.
  package enum Background: String, CaseIterable, Hashable, Codable, Sendable {
    case none
    case first
    case last
  }

  package var direction: Direction
  package var background = Background.none
  /// The weight of the background beside 1 for each part.
  package var backgroundWeight = 0.5

  package init(_ direction: Direction) { self.direction = direction }

  /// A prompt with its lines apart: a line feed cannot be typed on every command line.
  package static func lines(_ prompt: String) -> String { prompt.replacing("\\n", with: "\n") }

  /// Reads a prompt.
  ///
  /// - Throws: `PromptError` for too few lines.
  package func read(_ prompt: String) throws(PromptError) -> RegionalPrompterText.Reading {
    var lines = Self.lines(prompt).split(separator: "\n")
      .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    let needed = background == .none ? 2 : 3
    guard lines.count >= needed else {
      throw PromptError(
        "--region-lines: the prompt has \(lines.count) lines, expected at least \(needed)"
          + (background == .none ? "" : ", the background among them"))
    }
    guard backgroundWeight.isFinite, backgroundWeight >= 0 else {
      throw PromptError("--region-background-weight \(backgroundWeight): expected 0 or more")
    }
    var share = 0.0
    var whole = lines.joined(separator: ", ")
    if background != .none {
      whole = background == .first ? lines.removeFirst() : lines.removeLast()
      share = backgroundWeight / (1 + backgroundWeight)
    }
    let regions = lines.enumerated().map { index, line in
      var region = Region(name: "region \(index + 1)", prompt: line)
      let (start, end) = (
        Double(index) / Double(lines.count), Double(index + 1) / Double(lines.count)
      )
      region.box =
        direction == .horizontal
        ? RegionBox(left: start, top: 0, right: end, bottom: 1)
        : RegionBox(left: 0, top: start, right: 1, bottom: end)
      region.weight = 1 - share
      return region
    }
    return RegionalPrompterText.Reading(prompt: whole, regions: regions)
  }
}
