import Foundation
import MoscDiffusion
import MoscFormats
import MoscImages
import MoscReport
import MoscSample

/// "Regional Prompter": a prompt that divides the picture by keywords, into a grid or by a painted mask.
enum RegionalPrompterScript {
  static let arguments: [(label: String, value: JSONValue)] = [
    ("Active", .bool(false)), ("debug", .bool(false)), ("Mode", .string("Matrix")), ("Main Splitting", .string("Columns")),
    ("Mask mode", .string("Mask")), ("Prompt mode", .string("Prompt")), ("Divide Ratio", .string("1,1,1")),
    ("Base Ratio", .string("0")), ("Use base prompt", .bool(false)), ("Use common prompt", .bool(false)),
    ("Use common negative prompt", .bool(false)), ("Generation mode", .string("Attention")), ("Options", .bool(false)),
    ("LoRA in negative textencoder", .string("0")), ("LoRA in negative U-net", .string("0")), ("threshold", .string("0")),
    ("Mask", .string("")), ("LoRA stop step", .string("0")), ("LoRA Hires stop step", .string("0")), ("flip", .bool(false)),
  ]

  /// - Returns: whether the script is active.
  static func apply(
    _ args: ScriptArguments, to request: inout SampleRequest, _ extra: inout [(String, JSONValue)]
  ) throws -> Bool {
    // One object that only switches it on keeps the defaults of all else.
    if args.count == 1, let object = args[0]?.members {
      guard JSONFields(object)["active"]?.bool == true else { return false }
    } else {
      guard try args.flag(0, false) else { return false }
    }
    let keywords = RegionalPrompterText.keywords + ["BREAK", "AND"]
    let words = request.prompt.split(whereSeparator: \.isWhitespace).map(String.init)
    // Without a keyword the original does nothing.
    guard words.contains(where: keywords.contains) else { return false }
    if try args.text(11, "Attention") == "Latent" {
      extra.append(("RP Calc Mode", .string("Latent is drawn as Attention here")))
    }
    for (index, name) in [(13, "LoRA in negative textencoder"), (14, "LoRA in negative U-net"), (17, "LoRA stop step")]
    where try args.text(index, "0") != "0" && !args.text(index, "0").isEmpty {
      extra.append(("RP \(name)", .string("is not followed here")))
    }
    let isBased = try args.flag(8, false), isCommon = try args.flag(9, false)
    request.prompt = Self.keyworded(request.prompt, base: isBased, common: isCommon)
    switch args.count == 1 ? "Matrix" : try args.text(2, "Matrix") {
    case "Matrix": try grid(args, isBased, &request)
    case "Mask": try mask(args, isBased, &request)
    case let mode: throw args.fault(2, "the mode '\(mode)' is not supported, expected Matrix or Mask")
    }
    return true
  }

  /// The prompt with the words for its common part and its base, which the original takes from switches, and
  /// `AND` as `BREAK`.
  private static func keyworded(_ prompt: String, base: Bool, common: Bool) -> String {
    var text = prompt.replacing(/(^|\s)AND(?=\s|$)/) { "\($0.output.1)BREAK" }
    for (isUsed, word) in [(common, "ADDCOMM"), (base, "ADDBASE")] where isUsed && !text.contains(word) {
      if let first = text.firstRange(of: "BREAK") { text.replaceSubrange(first, with: word) }
    }
    return text
  }

  private static func grid(_ args: ScriptArguments, _ isBased: Bool, _ request: inout SampleRequest) throws {
    if args.count == 1 {
      request.regions.prompter.ratios = "1,1,1"
      return
    }
    var ratios = try args.text(6, "1,1,1")
    if try args.flag(19, false) {
      ratios = String(ratios.map { $0 == "," ? ";" : $0 == ";" ? "," : $0 })
    }
    switch try args.text(3, "Columns") {
    case "Columns", "Horizontal": request.regions.prompter.division = .columns
    case "Rows", "Vertical": request.regions.prompter.division = .rows
    case let other: throw args.fault(3, "'\(other)' is not supported, expected Columns or Rows")
    }
    request.regions.prompter.ratios = ratios
    let base = try args.text(7, "0")
    if isBased || base != "0" { request.regions.prompter.baseRatios = isBased ? base : nil }
  }

  private static func mask(_ args: ScriptArguments, _ isBased: Bool, _ request: inout SampleRequest) throws {
    let text = try args.text(16, "")
    guard !text.isEmpty else { throw args.fault(16, "expected the mask as base64") }
    let image = try UploadedPicture.image(text, field: "mask")
    let (width, height) = (request.width ?? 512, request.height ?? 512)
    var reader = RegionalPrompterText()
    reader.baseRatios = isBased ? try args.text(7, "0.2") : nil
    let reading: RegionalPrompterText.Reading
    do {
      reading = try reader.read(request.prompt, negative: request.negativePrompt)
    } catch {
      throw APIError(422, error.description)
    }
    var (masks, rest) = RegionMasks.painted(image, count: reading.regions.count)
    // What nobody painted is the base's, or else the first region's.
    if !isBased, !masks.isEmpty {
      for pixel in rest.pixels.indices where rest.pixels[pixel] > 0 { masks[0].pixels[pixel] = 255 }
      rest.pixels = []
    }
    request.prompt = reading.prompt
    request.regions.items = try zip(reading.regions, masks).compactMap { region, mask in
      guard mask.pixels.contains(255) else { return nil }
      var fields: [(String, JSONValue)] = [
        ("prompt", .string(region.prompt)), ("weight", .double(region.weight)),
        ("mask", .string(try RegionMasks.text(mask, width: width, height: height))),
      ]
      if let negative = region.negative { fields.append(("negative", .string(negative))) }
      return .fields(fields)
    }
    if reading.regions.contains(where: { $0.negative != nil }) { request.negativePrompt = "" }
  }
}
