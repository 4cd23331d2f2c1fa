import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample

/// A line of a prompt file.
struct PromptLine: Sendable {
  var text: String
  /// The title of the lines it belongs to.
  var group = ""
  var wrong: [(kind: String, text: String)] = []
  var parts: [PicturePart] = []

  /// The prompts of a file: one a line, groups begin with a line `# title`.
  static func read(_ path: String) throws -> [PromptLine] {
    var lines: [PromptLine] = []
    var group = ""
    for line in try TextFile.read(path).textLines {
      let text = line.trimmingCharacters(in: .whitespaces)
      if text.hasPrefix("#") {
        group = text.dropFirst().trimmingCharacters(in: .whitespaces)
      } else if !text.isEmpty {
        lines.append(PromptLine(text: text, group: group))
      }
    }
    if lines.isEmpty { throw CommandError.failure("'\(path)' holds no prompt") }
    return lines
  }

  /// The prompts of a file of probes, `[{"prompt": …, "wrong": {KIND: CAPTION, …}, "parts": […]}, …]`.
  static func readProbes(_ path: String) throws -> [PromptLine] {
    let value = try JSONValue.parse(try readFile(URL(fileURLWithPath: path)), path: path)
    guard let list = value.array, !list.isEmpty else {
      throw FormatError(path, nil, "expected a list of objects with 'prompt' and 'wrong'")
    }
    return try list.enumerated().map { index, item in
      func error(_ message: String) -> FormatError { FormatError(path, "[\(index)]", message) }
      guard let prompt = item["prompt"]?.string, let wrong = item["wrong"] else {
        throw error("expected 'prompt', a text, and 'wrong', an object")
      }
      return PromptLine(
        text: prompt, wrong: try WrongCaptions.read(wrong, error: error),
        parts: try PicturePart.list(item["parts"], error: error))
    }
  }
}

/// Draws the pictures that are judged.
struct Drawing {
  let request: EvaluateRequest
  let lines: [PromptLine]
  let compiler: Compiler
  /// The processes that share the pictures; nil for this one alone.
  var team: PictureTeam?

  /// The request for a model with adapters.
  func sample(_ adapters: [AdapterRequest]) -> SampleRequest {
    var sample = request.sample
    sample.model.adapters.files = adapters
    return sample
  }

  /// How captions of a model with these adapters are made.
  func caption(_ adapters: [AdapterRequest]) throws -> Caption {
    var words = request.words
    if words == nil {
      let own = try ModelComponents.open(sample(adapters).model).words().map(\.text)
      words = own.isEmpty ? nil : own.joined(separator: " ")
    }
    return Caption(className: request.className, words: words)
  }

  /// Draws every prompt with every seed.
  ///
  /// - Parameters:
  ///   - title: what messages and kept files are called.
  ///   - withClass: whether prompts have the class word for the concept.
  func pictures(
    _ adapters: [AdapterRequest], title: String, withClass: Bool = false
  ) throws -> [JudgedPicture] {
    let caption = try caption(adapters)
    let texts = try lines.map { withClass ? try caption.text($0.text) : try caption.prompt($0.text) }
    return try draw(texts, adapters, title) { line in
      var line = lines[line]
      line.text = try caption.text(line.text)
      return line
    }
  }

  /// Draws the class alone, which is to stay as it was.
  func classPictures(_ adapters: [AdapterRequest], title: String, _ name: String) throws -> [JudgedPicture] {
    let text = "photo of a \(name)"
    return try draw([text], adapters, title) { _ in PromptLine(text: text) }
  }

  private func draw(
    _ texts: [String], _ adapters: [AdapterRequest], _ title: String,
    _ describe: (Int) throws -> PromptLine
  ) throws -> [JudgedPicture] {
    var sample = sample(adapters)
    sample.prompts = texts
    let plan = try SamplePlan(sample)
    compiler.reporter.info(
      "\(title): \(plan.count) pictures of \(plan.width)x\(plan.height), \(sample.steps) steps")
    try compiler.reporter.reportUnknownWords(try plan.words(), plan.model)
    let images = try team?.pictures(plan, compiler) ?? Sampler(plan, compiler).pictures()
    var pictures: [JudgedPicture] = []
    for (picture, image) in zip(plan.batches.joined(), images) {
      let line = try describe((picture.number - 1) / sample.seeds.count)
      let number = String(picture.number - 1)
      let padded = String(repeating: "0", count: max(0, 4 - number.count)) + number
      pictures.append(
        JudgedPicture(
          image: image, caption: line.text, group: line.group, name: "\(title)-\(padded)-\(picture.seed)",
          wrong: line.wrong, parts: line.parts))
    }
    try keep(pictures)
    return pictures
  }

  /// Writes pictures and captions where they were asked to be kept.
  private func keep(_ pictures: [JudgedPicture]) throws {
    guard let path = request.keep else { return }
    let folder = URL(fileURLWithPath: path)
    try makeFolder(folder)
    for picture in pictures {
      let name = picture.name.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "_" }
      let file = folder.appending(path: String(name))
      try PNG.write(picture.image, to: file.appendingPathExtension("png"))
      try AtomicFile.write(Data("\(picture.caption)\n".utf8), to: file.appendingPathExtension("txt"))
      var members: [JSONValue.Member] = []
      if !picture.wrong.isEmpty {
        members.append(
          .init("wrong", .object(picture.wrong.map { JSONValue.Member($0.kind, .string($0.text)) })))
      }
      if !picture.parts.isEmpty { members.append(.init("parts", .array(picture.parts.map(\.json)))) }
      if members.isEmpty { continue }
      try AtomicFile.write(Data("\(JSONValue.object(members))\n".utf8), to: file.appendingPathExtension("json"))
    }
  }
}
