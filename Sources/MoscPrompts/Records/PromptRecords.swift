import MoscFormats

/// Answers recorded questions about the prompt language, in the form in which they were recorded.
package struct PromptRecords: Sendable {
  /// The parts of the language that records are about.
  package enum Kind: String, CaseIterable, Hashable, Sendable {
    case attention, schedules, composition, chunks, networks, infotext
  }

  package let kind: Kind
  /// What gives the tokens of `chunks`.
  let tokenizer: CLIPTokenizer?
  /// The file of the questions, for errors.
  let path: String

  /// - Parameter tokenizer: the tokens of `chunks`; other kinds need none.
  package init(_ kind: Kind, _ tokenizer: CLIPTokenizer? = nil, path: String) {
    (self.kind, self.tokenizer, self.path) = (kind, tokenizer, path)
  }

  /// The document with our own answers in place of the recorded ones.
  ///
  /// - Throws: `FormatError` for a record without the fields of its kind.
  package func answered(_ document: JSONValue) throws -> JSONValue {
    guard let members = document.members, document["items"]?.array != nil else {
      throw FormatError(path, nil, "expected an object with a list \"items\"")
    }
    var result: [JSONValue.Member] = []
    for member in members {
      switch member.key {
      case "items": result.append(.init("items", try list(member, answer)))
      case "selection" where kind == .schedules:
        result.append(.init(member.key, try list(member, selection)))
      case "emphasis" where kind == .chunks:
        result.append(.init(member.key, try list(member, emphasis)))
      case "empty_chunk" where kind == .chunks:
        result.append(.init(member.key, try emptyChunk()))
      case "batches" where kind == .networks:
        result.append(.init(member.key, try list(member, networkBatch)))
      case "quote" where kind == .infotext:
        result.append(.init(member.key, try list(member, quoting)))
      case "defaults" where kind == .infotext:
        result.append(.init(member.key, Self.object(try Infotext(reading: ""))))
      // What the answers are from: not what the file says.
      case "about": result.append(.init("about", .object([.init("program", .string("mosc"))])))
      default: result.append(member)
      }
    }
    return .object(result)
  }

  private func answer(_ record: JSONObject) throws -> [JSONValue.Member] {
    switch kind {
    case .attention: try attention(record)
    case .schedules: try schedules(record)
    case .composition: try composition(record)
    case .chunks: try chunks(record)
    case .networks: try networks(record)
    case .infotext: try infotext(record)
    }
  }

  /// Fields that hold answers.
  private static let answers: Set<String> = [
    "result", "error", "cases", "alternatives", "runs", "result_emphasis_none",
    "result_backtrack_0", "ftfy_matters", "entry_at_step", "original", "no_norm", "original_f64",
    "max_diff_f32_f64", "mean_before", "unquoted", "dropped",
  ]

  /// Every record of a list with its answers.
  private func list(
    _ member: JSONValue.Member, _ answer: (JSONObject) throws -> [JSONValue.Member]
  ) throws -> JSONValue {
    guard let list = member.value.array else {
      throw FormatError(path, "key \"\(member.key)\"", "expected a list")
    }
    return .array(
      try list.enumerated().map { index, item in
        guard let members = item.members else {
          throw FormatError(path, "\(member.key)[\(index)]", "expected an object")
        }
        let name = item["id"]?.string ?? "\(member.key)[\(index)]"
        let record = JSONObject(path: "\(path): \(name)", members: members)
        return .object(members.filter { !Self.answers.contains($0.key) } + (try answer(record)))
      })
  }

  /// What a part of the language gives, or the kind of its fault.
  static func outcome(
    _ key: String, _ value: () throws(PromptSyntaxError) -> JSONValue
  ) -> JSONValue.Member {
    do throws(PromptSyntaxError) {
      return .init(key, try value())
    } catch {
      return .init("error", .string(error.kind.rawValue))
    }
  }

  private func attention(_ record: JSONObject) throws -> [JSONValue.Member] {
    let prompt = try record.string("prompt")
    return [
      Self.outcome("result") { () throws(PromptSyntaxError) in
        .array(try PromptAttention.parse(prompt).map { .array([.string($0.text), .double($0.weight)]) })
      }
    ]
  }

  private func composition(_ record: JSONObject) throws -> [JSONValue.Member] {
    let batch = CompositionBatch(try record.strings("prompts"))
    let indexes: [JSONValue] = batch.uses.map { uses in
      .array(uses.map { .array([.int($0.text), .double($0.weight)]) })
    }
    return [
      .init(
        "result",
        .object([
          .init("indexes", .array(indexes)), .init("texts", .array(batch.texts.map { .string($0) })),
        ]))
    ]
  }

  // MARK: Schedules

  private func schedules(_ record: JSONObject) throws -> [JSONValue.Member] {
    let prompt = try record.string("prompt")
    // Where the original has several answers, each has the same cases.
    guard let cases = (record["cases"] ?? record["alternatives"]?.array?.first?["cases"])?.array
    else { throw record.error("cases", "expected a list of cases") }
    return [
      .init(
        "cases",
        .array(
          try cases.map { item in
            let given = JSONObject(path: record.path, members: item.members ?? [])
            let timing = PromptSchedule.Timing(
              steps: try given.int("steps"), secondPassSteps: given["hires_steps"]?.int,
              isOld: try given.bool("use_old_scheduling"))
            let inputs = given.members.filter { $0.key != "schedule" && $0.key != "error" }
            return .object(
              inputs + [
                Self.outcome("schedule") { () throws(PromptSyntaxError) in
                  let entries = try PromptSchedule(prompt, timing).entries
                  return .array(entries.map { .array([.int($0.end), .string($0.text)]) })
                }
              ])
          }))
    ]
  }

  private func selection(_ record: JSONObject) throws -> [JSONValue.Member] {
    let ends = try record.ints("end_at_step")
    let schedule = PromptSchedule(ends.map { PromptSchedule.Entry(end: $0, "") })
    let count = record["entry_at_step"]?.array?.count ?? (ends.last ?? 0) + 3
    return [
      .init("entry_at_step", .array((0..<count).map { .int(schedule.index(at: $0)) }))
    ]
  }
}
