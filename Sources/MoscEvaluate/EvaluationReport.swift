import Foundation
import MoscFormats

/// Evaluations as a table for people and as JSON for programs.
struct EvaluationReport {
  let evaluations: [Evaluation]
  let choice: Choice?
  /// What judged.
  let judge: String

  /// One object.
  var json: String {
    var members = [
      JSONValue.Member("judge", .string(judge)),
      JSONValue.Member("evaluations", .array(evaluations.map(Self.object))),
    ]
    if let choice {
      var chosen = [
        JSONValue.Member("best", .string(evaluations[choice.best].name)),
        JSONValue.Member(
          "scores", .object(zip(evaluations, choice.scores).map { JSONValue.Member($0.name, Self.value($1)) })),
      ]
      if let hint = choice.hint { chosen.append(JSONValue.Member("hint", .string(hint))) }
      members.append(JSONValue.Member("choice", .object(chosen)))
    }
    return JSONValue.object(members).description
  }

  private static func object(_ evaluation: Evaluation) -> JSONValue {
    var members = [
      JSONValue.Member("name", .string(evaluation.name)),
      JSONValue.Member("pictures", .int(evaluation.count)),
      JSONValue.Member("values", values(evaluation.values)),
    ]
    if !evaluation.groups.isEmpty {
      members.append(
        JSONValue.Member(
          "groups", .object(evaluation.groups.map { JSONValue.Member($0.title, values($0.values)) })))
    }
    if let matrix = evaluation.matrix {
      members.append(
        JSONValue.Member(
          "regions",
          .object([
            JSONValue.Member("concepts", .array(matrix.names.map { .string($0) })),
            JSONValue.Member("cosines", .array(matrix.rows.map { .array($0.map(number)) })),
            JSONValue.Member("diagonal", number(matrix.diagonal)),
          ])))
    }
    return .object(members)
  }

  private static func values(_ values: [Evaluation.Value]) -> JSONValue {
    .object(
      values.map { value in
        var members = Self.value(value.estimate).members ?? []
        if let paper = value.paper { members.append(JSONValue.Member("paper", number(paper))) }
        if let relative = value.relative { members.append(JSONValue.Member("relative", number(relative))) }
        return JSONValue.Member(value.name, .object(members))
      })
  }

  private static func value(_ estimate: Estimate) -> JSONValue {
    .object([
      JSONValue.Member("mean", number(estimate.mean)),
      JSONValue.Member("interval", .array([number(estimate.low), number(estimate.high)])),
    ])
  }

  /// Six digits: more are noise of the arithmetic.
  private static func number(_ value: Double) -> JSONValue {
    .double((value * 1e6).rounded() / 1e6)
  }

  /// A table for each set of pictures.
  var text: String {
    var lines: [String] = []
    for evaluation in evaluations {
      lines.append("\(evaluation.name), \(evaluation.count) pictures:")
      lines += Self.table(evaluation.values)
      for group in evaluation.groups {
        lines.append("  \(group.title.isEmpty ? "other prompts" : group.title):")
        lines += Self.table(group.values).map { "  \($0)" }
      }
      if let matrix = evaluation.matrix { lines += Self.table(matrix) }
    }
    if let choice {
      for (evaluation, score) in zip(evaluations, choice.scores) {
        lines.append("score of \(evaluation.name): \(Self.text(score))")
      }
      lines.append("best: \(evaluations[choice.best].name)")
      if let hint = choice.hint { lines.append(hint) }
    }
    return lines.joined(separator: "\n")
  }

  private static func table(_ values: [Evaluation.Value]) -> [String] {
    let width = values.map(\.name.count).max() ?? 0
    return values.map { value in
      let name = value.name + String(repeating: " ", count: width - value.name.count)
      let paper = value.paper.map { "  paper \(digits($0))" } ?? ""
      let relative = value.relative.map { "  of the base \(digits($0))" } ?? ""
      return "  \(name)  \(text(value.estimate))\(paper)\(relative)"
    }
  }

  private static func table(_ matrix: ConceptMatrix) -> [String] {
    ["  regions, cosine with \(matrix.names.joined(separator: ", ")):"]
      + zip(matrix.names, matrix.rows).map { name, row in
        "    \(name): \(row.map(digits).joined(separator: " "))"
      } + ["  on the diagonal: \(digits(matrix.diagonal))"]
  }

  private static func text(_ estimate: Estimate) -> String {
    let mean = digits(estimate.mean)
    return estimate.low == estimate.high
      ? mean : "\(mean)  (\(digits(estimate.low)) to \(digits(estimate.high)))"
  }

  private static func digits(_ value: Double) -> String { String(format: "%.4f", value) }
}
