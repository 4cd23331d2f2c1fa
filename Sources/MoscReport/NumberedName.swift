import Foundation

/// Names that count on from what a folder holds, as the A1111 web UI numbers its pictures: `00000-7.png`,
/// `grid-0000.png`.
struct NumberedName: Hashable, Sendable {
  /// The folder as it was given, with its slash; empty for the working folder.
  let folder: String
  /// What stands before the number.
  let prefix: String
  /// What stands behind the number.
  let suffix: String

  /// The digits that a number has at least; shorter ones are somebody else's, such as a year.
  private var digits: Int { prefix.isEmpty ? 5 : 4 }

  /// The path of a number.
  func path(_ number: Int) -> String {
    let text = String(number)
    let zeros = String(repeating: "0", count: max(0, digits - text.count))
    return "\(folder)\(prefix)\(zeros)\(text)\(suffix)"
  }

  /// The number after the largest in the folder.
  func next() -> Int {
    let place = folder.isEmpty ? "." : folder
    let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
    return (names.compactMap(number).max() ?? -1) + 1
  }

  /// The number in a name, if it is one of these.
  private func number(_ name: String) -> Int? {
    // A run that is not over has a lock in place of its result.
    let isLock = name.hasPrefix(".") && name.hasSuffix(".lock")
    let name = isLock ? name.dropFirst() : name[...]
    guard name.hasPrefix(prefix) else { return nil }
    let rest = name.dropFirst(prefix.count)
    let number = rest.prefix { $0.isASCII && $0.isNumber }
    // So many that one more can be counted.
    guard digits...15 ~= number.count, let next = rest.dropFirst(number.count).first,
      next == "-" || next == "."
    else { return nil }
    return Int(number)
  }
}
