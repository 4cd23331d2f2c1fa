import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport
import MoscRuntime
import MoscSample

/// A line of a prompt file.
struct PromptLine: Sendable {
  var text: String
  /// The title of the lines it belongs to.
  var group = ""
  var wrong: [(kind: String, text: String)] = []
  var parts: [PicturePart] = []
  /// The regions that its pictures are drawn with, as objects of a scene file.
  var regions: [JSONValue] = []

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

  /// The prompts of a file of probes, `[{"prompt": …, "wrong": {KIND: CAPTION, …}, "parts": […], "regions": […]}, …]`.
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
      let regions = item["regions"] ?? .array([])
      guard let regions = regions.array else {
        throw error("'regions' is \(regions.kindName), expected a list")
      }
      return PromptLine(
        text: prompt, wrong: try WrongCaptions.read(wrong, error: error),
        parts: try PicturePart.list(item["parts"], error: error), regions: regions)
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
    let drawn = try lines.map { line in
      var judged = line
      judged.text = try caption.text(line.text)
      return (withClass ? judged.text : try caption.prompt(line.text), judged)
    }
    return try draw(drawn, adapters, title)
  }

  /// Draws the class alone, which is to stay as it was.
  func classPictures(_ adapters: [AdapterRequest], title: String, _ name: String) throws -> [JudgedPicture] {
    let text = "photo of a \(name)"
    return try draw([(text, PromptLine(text: text))], adapters, title)
  }

  /// Draws prompts, and describes each picture by the line beside its prompt.
  private func draw(
    _ lines: [(prompt: String, line: PromptLine)], _ adapters: [AdapterRequest], _ title: String
  ) throws -> [JudgedPicture] {
    // Plans differ by their regions alone, and share opened models and programs.
    let keeper = ModelKeeper(limit: (ProcessFacts.memoryBytes ?? 8 << 30) / 2)
    let plans = try plans(lines, adapters, keeper)
    let drawn = plans.flatMap { $0.batches.joined() }
    compiler.reporter.info(
      "\(title): \(drawn.count) pictures of \(plans[0].width)x\(plans[0].height), \(request.sample.steps) steps")
    for plan in plans { try compiler.reporter.reportUnknownWords(try plan.words(), plan.model) }
    let images: [PixelImage]
    if let team {
      images = try team.pictures(plans, compiler, keeper: keeper)
    } else {
      images = try plans.flatMap { try Sampler($0, compiler, keeper: keeper).pictures() }
    }
    let pictures = zip(drawn, images).enumerated().map { index, pair in
      let number = String(index)
      let padded = String(repeating: "0", count: max(0, 4 - number.count)) + number
      let line = lines[index / request.sample.seeds.count].line
      return JudgedPicture(
        image: pair.1, caption: line.text, group: line.group, name: "\(title)-\(padded)-\(pair.0.seed)",
        wrong: line.wrong, parts: line.parts)
    }
    try keep(pictures)
    return pictures
  }

  /// A plan for each run of lines with the same regions.
  private func plans(
    _ lines: [(prompt: String, line: PromptLine)], _ adapters: [AdapterRequest], _ keeper: ModelKeeper
  ) throws -> [SamplePlan] {
    var requests: [SampleRequest] = []
    var regions: [JSONValue] = []
    for (prompt, line) in lines {
      if requests.isEmpty || line.regions != regions {
        var sample = sample(adapters)
        sample.prompts = []
        // A plan fills larger batches with seeds that nobody asked for.
        sample.batchSize = min(sample.batchSize, sample.seeds.count)
        sample.regions.items += line.regions
        regions = line.regions
        requests.append(sample)
      }
      requests[requests.count - 1].prompts.append(prompt)
    }
    return try requests.map { try SamplePlan($0, keeper: keeper) }
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
