import MoscFormats
import MoscModel
import MoscReport
import MoscSample

/// The fields of a second pass in a larger size, and of pictures that go on at their edges.
enum LargePictureFields {
  /// Those of a native request: `hires` with the members scale, width, height, steps, strength and upscaler,
  /// and `seamless`.
  static func apply(_ fields: JSONFields, to request: inout SampleRequest) throws {
    if let name = try fields.string("seamless"), !name.isEmpty {
      guard let seamless = Seamless(rawValue: name) else {
        throw APIError.field("seamless", "expected both, x or y, found '\(name)'")
      }
      request.seamless = seamless
    }
    guard let hires = try fields.object("hires") else { return }
    for name in hires.members.map(\.key) where !["scale", "width", "height", "steps", "strength", "upscaler"].contains(name) {
      throw APIError.field("hires", "there is no field '\(name)'", kind: "extra_forbidden")
    }
    var options = HiresOptions()
    options.isOn = true
    options.scale = try hires.double("scale", in: 1...8) ?? options.scale
    let (width, height) = (try hires.int("width", in: 0...4096) ?? 0, try hires.int("height", in: 0...4096) ?? 0)
    if width + height > 0 { options.size = (width, height) }
    options.steps = try hires.int("steps", in: Limits.steps)
    options.strength = try hires.double("strength", in: 0.001...1) ?? options.strength
    if let name = try hires.string("upscaler") { options.upscaler = try upscaler(name, field: "hires") }
    request.hires = options
    try check(request)
  }

  /// The fields as the web UI has them.
  static func applyWebUI(_ fields: JSONFields, to request: inout SampleRequest) throws {
    if try fields.bool("tiling") == true { request.seamless = .both }
    guard try fields.bool("enable_hr") == true else { return }
    for name in ["hr_checkpoint_name", "hr_sampler_name", "hr_scheduler", "hr_prompt", "hr_negative_prompt"] {
      guard let text = try fields.string(name), !text.isEmpty, !text.lowercased().hasPrefix("use same") else { continue }
      throw APIError.field(name, "is not supported, the second pass is drawn as the first", fields[name])
    }
    var options = HiresOptions()
    options.isOn = true
    options.scale = try fields.double("hr_scale", in: 1...8) ?? 2
    let (width, height) = (try fields.int("hr_resize_x", in: 0...4096) ?? 0, try fields.int("hr_resize_y", in: 0...4096) ?? 0)
    if width + height > 0 { options.size = (width, height) }
    // 0 is as many as in the first pass.
    options.steps = try fields.int("hr_second_pass_steps", in: 0...1000).flatMap { $0 == 0 ? nil : $0 }
    options.strength = try fields.double("denoising_strength", in: 0.001...1) ?? 0.75
    if let name = try fields.string("hr_upscaler") { options.upscaler = try upscaler(name, field: "hr_upscaler") }
    request.hires = options
    try check(request)
  }

  /// An upscaler by its name; files of networks are named by paths, which nobody may give.
  private static func upscaler(_ name: String, field: String) throws -> HiresUpscaler {
    guard let found = HiresUpscaler(spelling: name), HiresUpscaler.builtIn.contains(found) else {
      throw APIError.field(field, "there is no upscaler '\(PlainPaths.clean(name))'")
    }
    return found
  }

  private static func check(_ request: SampleRequest) throws {
    let options = request.hires
    guard let size = options.size else {
      let side = { (value: Int?) in value.map { Int(Double($0) * options.scale) } }
      return try Limits.check(width: side(request.width), height: side(request.height))
    }
    try Limits.check(width: size.width, height: size.height)
  }

  /// The native fields of a request, as `apply` reads them.
  static func json(_ request: SampleRequest) -> [(String, JSONValue)] {
    var fields: [(String, JSONValue)] = []
    if let seamless = request.seamless { fields.append(("seamless", .string(seamless.rawValue))) }
    guard request.hires.isOn else { return fields }
    let options = request.hires
    var hires: [(String, JSONValue)] = [("strength", .double(options.strength)), ("upscaler", .string(options.upscaler.title))]
    if let size = options.size {
      hires += [("width", .int(size.width)), ("height", .int(size.height))]
    } else {
      hires.append(("scale", .double(options.scale)))
    }
    if let steps = options.steps { hires.append(("steps", .int(steps))) }
    return fields + [("hires", .fields(hires))]
  }

  /// The options of a command line for them.
  static func words(_ request: SampleRequest) -> [String] {
    var words: [String] = []
    func add(_ option: String, _ value: String) { words += [option, SampleCommandLine.quoted(value)] }
    if let seamless = request.seamless { add("--seamless", seamless.rawValue) }
    guard request.hires.isOn else { return words }
    let options = request.hires
    words.append("--hires")
    if let size = options.size {
      add("--hires-size", "\(size.width)x\(size.height)")
    } else {
      add("--hires-scale", GenerationParameters.number(options.scale))
    }
    if let steps = options.steps { add("--hires-steps", "\(steps)") }
    add("--hires-strength", GenerationParameters.number(options.strength))
    add("--hires-upscaler", options.upscaler.title)
    return words
  }
}
