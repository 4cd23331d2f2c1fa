import Foundation
import MoscFormats
import MoscPrompts
import TestSupport
import Testing

/// Every part of the language against what A1111's web UI answered (`Tests/Goldens/prompts`).
@Suite struct RecordTests {
  private static func tokenizer() throws -> CLIPTokenizer {
    try CLIPTokenizer(folder: Goldens.url("../../Sources/MoscModel/Resources/clip"))
  }

  @Test(arguments: PromptRecords.Kind.allCases)
  func answersAreEqual(_ kind: PromptRecords.Kind) throws {
    let url = Goldens.url("prompts/\(kind.rawValue).json")
    let recorded = try JSONValue.parse(try readFile(url), path: url.path)
    let records = PromptRecords(
      kind, kind == .chunks ? try Self.tokenizer() : nil, path: url.path)
    let answered = try records.answered(recorded)
    for member in try #require(recorded.members) {
      let own = try #require(answered[member.key])
      guard let list = member.value.array else {
        #expect(Self.equal(member.value, own, 0), "\(member.key)")
        continue
      }
      let answers = try #require(own.array)
      #expect(list.count == answers.count && !list.isEmpty)
      for (wanted, found) in zip(list, answers) {
        Self.compare(wanted, found, tolerance: member.key == "emphasis" ? 1e-5 : 0)
      }
    }
  }

  /// A record with several recorded answers may have any of them.
  private static func compare(_ wanted: JSONValue, _ found: JSONValue, tolerance: Double) {
    let name = wanted["id"]?.string ?? ""
    if let alternatives = wanted["alternatives"]?.array {
      #expect(
        alternatives.contains { equal($0["cases"] ?? .null, found["cases"] ?? .null, 0) },
        "\(name)")
      return
    }
    #expect(equal(wanted, found, tolerance), "\(name): \(found)")
  }

  /// Objects without regard to the order of keys, numbers within a relative tolerance, texts by
  /// scalar.
  private static func equal(_ a: JSONValue, _ b: JSONValue, _ tolerance: Double) -> Bool {
    switch (a, b) {
    case (.object(let left), .object(let right)):
      return left.count == right.count
        && left.allSatisfy { member in
          right.contains {
            $0.key.unicodeScalars.elementsEqual(member.key.unicodeScalars)
              && equal(member.value, $0.value, tolerance)
          }
        }
    case (.array(let left), .array(let right)):
      return left.count == right.count
        && zip(left, right).allSatisfy { equal($0, $1, tolerance) }
    case (.string(let left), .string(let right)):
      return left.unicodeScalars.elementsEqual(right.unicodeScalars)
    case (.int, .int), (.int, .double), (.double, .int), (.double, .double):
      guard let left = a.double, let right = b.double else { return false }
      return left == right || abs(left - right) <= tolerance * max(1, abs(left))
    default: return a == b
    }
  }
}
