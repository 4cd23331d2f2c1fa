import Foundation
import MoscFormats
import MoscReport

/// An option of a command, as a command line may spell it.
package struct CommandOption: Hashable, Sendable {
  /// With their dashes: `-p`, `--prompt`.
  package var names: [String]
  package var takesValue: Bool

  package init(names: [String], takesValue: Bool) {
    (self.names, self.takesValue) = (names, takesValue)
  }
}

/// One direction of a sheet: an option of `mosc sample`, and what it is in each place.
package struct GridAxis: Hashable, Sendable {
  /// The name without dashes.
  package let name: String
  package let values: [String]
  /// What is replaced in the values that the command line gives; nil where the option is given anew.
  private let search: String?
  private let option: CommandOption
  /// How the axis was spelled.
  private let place: String

  /// - Parameters:
  ///   - direction: `x`, `y` or `z`.
  ///   - text: `OPTION=VALUES`.
  ///   - options: those of `mosc sample`.
  /// - Throws: a usage error for an option that there is not, and for values that cannot be read.
  package init(_ direction: String, _ text: String, options: [CommandOption]) throws {
    guard let split = text.firstIndex(of: "=") else {
      throw CommandError.usage("--\(direction) '\(text)': expected OPTION=VALUES, such as steps=4,8")
    }
    let key = text[..<split].trimmingCharacters(in: .whitespaces)
    let spelled = key.drop { $0 == "-" }.replacing("_", with: "-").replacing(" ", with: "-")
    let name = spelled.count == 1 ? String(spelled) : spelled.lowercased()
    let dashed = (name.count == 1 ? "-" : "--") + name
    guard let option = options.first(where: { $0.names.contains(dashed) }) else {
      let known = options.flatMap(\.names).filter { $0.hasPrefix("--") }.map { String($0.dropFirst(2)) }
      let nearest = NearestName.suggest(name, in: known)
      throw CommandError.usage(
        "--\(direction) \(key): 'mosc sample' has no such option" + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
    }
    place = "--\(direction) \(key)"
    let read = try AxisValues(String(text[text.index(after: split)...]), place: place)
    if !option.takesValue, let bad = read.values.first(where: { !["on", "off"].contains($0) }) {
      throw CommandError.usage("\(place): \(dashed) is on or off, found '\(bad)'")
    }
    (self.name, self.option, values) = (name, option, read.values)
    search = read.replacesFirst ? read.values[0] : nil
  }

  /// What stands beside a row or above a column.
  package func title(_ index: Int) -> String { search == nil ? "\(name): \(values[index])" : values[index] }

  /// The command line in one place.
  ///
  /// - Throws: a usage error when there is nothing to replace.
  package func arguments(_ line: [String], at index: Int) throws -> [String] {
    let value = values[index]
    guard option.takesValue else {
      // A flag that the line gives has to go.
      return line.filter { !option.names.contains($0) } + (value == "on" ? option.names.suffix(1) : [])
    }
    if let search { return try replacing(search, by: value, in: line) }
    let dashed = option.names.first { $0.drop { $0 == "-" } == name } ?? option.names[0]
    return line + (dashed.hasPrefix("--") ? ["\(dashed)=\(value)"] : [dashed, value])
  }

  private func replacing(_ search: String, by value: String, in line: [String]) throws -> [String] {
    var result = line
    var isFound = false
    for index in line.indices {
      let isValue = index > 0 && option.names.contains(line[index - 1])
      let prefix = option.names.map { $0 + "=" }.first { line[index].hasPrefix($0) }
      guard isValue || prefix != nil else { continue }
      let head = isValue ? "" : prefix ?? ""
      let text = String(line[index].dropFirst(head.count))
      if text.contains(search) { isFound = true }
      result[index] = head + text.replacing(search, with: value)
    }
    guard isFound else {
      throw CommandError.usage("\(place): there is no '\(search)' in \(option.names.last ?? name)")
    }
    return result
  }
}
