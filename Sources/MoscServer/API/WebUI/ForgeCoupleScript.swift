import Foundation
import MoscDiffusion
import MoscFormats
import MoscReport
import MoscSample

/// "Forge Couple": a line of the prompt for each part of the picture.
enum ForgeCoupleScript {
  static let arguments: [(label: String, value: JSONValue)] = [
    ("Enable", .bool(false)), ("Disable during hires fix", .bool(true)), ("Region Assignment", .string("Basic")),
    ("Couple Separator", .string("")), ("Tile Direction", .string("Horizontal")), ("Global Effect", .string("None")),
    ("Global Effect Weight", .double(0.5)), ("Mapping", .array([])), ("Common Prompts", .string("off")),
    ("Debug", .bool(false)), ("Common Prompts in Background", .bool(false)),
  ]

  /// - Returns: whether the script is enabled.
  static func apply(
    _ args: ScriptArguments, to request: inout SampleRequest, _ services: Services
  ) throws -> Bool {
    guard try args.flag(0, false) else { return false }
    let separator = try args.text(3, "")
    var prompt = request.prompt
    if !separator.isEmpty { prompt = prompt.replacing(separator.replacing("\\n", with: "\n"), with: "\n") }
    let background = try background(args)
    switch try args.text(2, "Basic") {
    case "Basic":
      request.prompt = prompt
      var lines = CoupledLines(try args.text(4, "Horizontal") == "Vertical" ? .vertical : .horizontal)
      (lines.background, lines.backgroundWeight) = (background, try args.number(6, 0.5))
      request.regions.lines = lines
    case "Advanced":
      guard let rows = args[7]?.array else { throw args.fault(7, "expected a list of [x0, x1, y0, y1, weight]") }
      try place(prompt, rows.count, background, args, &request, services) { index in
        let numbers = (rows[index].array ?? []).compactMap(\.double)
        guard numbers.count == 5 else { throw args.fault(7, "row \(index + 1): expected [x0, x1, y0, y1, weight]") }
        return [
          ("box", .array([numbers[0], numbers[2], numbers[1], numbers[3]].map(JSONValue.double))),
          ("weight", .double(numbers[4])),
        ]
      }
    case "Mask":
      guard let layers = args[7]?.array else { throw args.fault(7, "expected a list of masks") }
      let (width, height) = (request.width ?? 512, request.height ?? 512)
      try place(prompt, layers.count, background, args, &request, services) { index in
        guard let text = layers[index]["mask"]?.string else { throw args.fault(7, "layer \(index + 1): expected a mask") }
        return [
          ("mask", .string(try RegionMasks.text(text, width: width, height: height))),
          ("weight", .double(layers[index]["weight"]?.double ?? 1)),
        ]
      }
    case let mode: throw args.fault(2, "the mode '\(mode)' is unknown, expected Basic, Advanced or Mask")
    }
    return true
  }

  private static func background(_ args: ScriptArguments) throws -> CoupledLines.Background {
    switch try args.text(5, "None") {
    case "None": .none
    case "First Line": .first
    case "Last Line": .last
    case let other: throw args.fault(5, "'\(other)' is unknown, expected None, First Line or Last Line")
    }
  }

  /// Makes a region of each line that is not the background.
  private static func place(
    _ prompt: String, _ count: Int, _ background: CoupledLines.Background, _ args: ScriptArguments,
    _ request: inout SampleRequest, _ services: Services, _ fields: (Int) throws -> [(String, JSONValue)]
  ) throws {
    var lines = prompt.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    guard lines.count == count + (background == .none ? 0 : 1) else {
      throw args.fault(7, "the prompt has \(lines.count) lines for \(count) places")
    }
    switch background {
    case .none: request.prompt = lines.joined(separator: ", ")
    case .first: request.prompt = lines.removeFirst()
    case .last: request.prompt = lines.removeLast()
    }
    request.regions.items = try DrawFields.regions(
      lines.enumerated().map { index, line in .fields([("prompt", .string(line))] + (try fields(index))) },
      field: "alwayson_scripts", services)
  }
}
