import Foundation
import MoscFormats
import MoscPrompts
import MoscReport

/// Files with one prompt a line; empty lines and those that begin with `#` are passed over.
enum PromptFile {
  /// The prompts of a file with their line numbers; `-` is standard input.
  static func lines(_ path: String) throws -> [(number: Int, text: String)] {
    let lines = try TextFile.read(path).textLines.enumerated()
      .map { (number: $0.offset + 1, text: $0.element.trimmingCharacters(in: .whitespaces)) }
      .filter { !$0.text.isEmpty && !$0.text.hasPrefix("#") }
    if lines.isEmpty { throw CommandError.failure("'\(path)' holds no prompt") }
    return lines
  }
}

extension SampleRequest {
  /// A request for each line of the prompt file if any line has options of its own (`--w 512`), else
  /// this one with the file read.
  func perLine() throws -> [SampleRequest] {
    guard let path = promptFile, promptLines == nil else { return [self] }
    let lines = try PromptFile.lines(path)
    let read = try lines.map { try PromptLine($0.text, path: path, number: $0.number) }
    guard read.contains(where: \.hasOptions) else {
      var request = self
      request.promptLines = lines.map(\.text)
      return [request]
    }
    return read.map { line in
      var request = self
      (request.promptFile, request.prompt) = (nil, line.prompt)
      if let negative = line.negativePrompt { request.negativePrompt = negative }
      request.width = line.width ?? width
      request.height = line.height ?? height
      request.steps = line.steps ?? steps
      request.guidance = line.guidance ?? guidance
      if line.steps != nil { request.fewSteps.unsaid.remove(.steps) }
      if !line.seeds.isEmpty { request.seeds = line.seeds }
      return request
    }
  }
}
