import MoscFormats
import MoscReport

/// A second pass: the picture is made larger and drawn on from there, as the A1111 web UI's *hires. fix* does.
package struct HiresOptions: Hashable, Codable, Sendable {
  package var isOn = false
  package var scale = Self.usualScale
  /// The size of the large picture in place of a scale; 0 keeps the proportions of the small one.
  package var size: (width: Int, height: Int)? {
    get { width.map { ($0, height ?? 0) } }
    set { (width, height) = (newValue?.width, newValue?.height) }
  }
  private var width, height: Int?
  /// The steps that are taken; nil for as many as in the first pass.
  package var steps: Int?
  /// How much of the denoising is done again.
  package var strength = Self.usualStrength
  package var upscaler = HiresUpscaler.latent(.bilinear)

  package static let usualScale = 2.0
  package static let usualStrength = 0.7

  package init() {}

  /// - Throws: a usage error for a number that cannot be.
  func check(_ request: SampleRequest) throws {
    guard isOn else { return }
    if let size, size.width < 0 || size.height < 0 || size.width + size.height == 0 {
      throw CommandError.usage("--hires-size \(size.width)x\(size.height): expected pixels")
    }
    guard scale.isFinite, scale >= 1, scale <= 16 else {
      throw CommandError.usage("--hires-scale \(scale): expected 1 to 16")
    }
    guard strength > 0, strength <= 1 else {
      throw CommandError.usage(
        "--hires-strength \(strength): expected a number above 0, where nothing would be drawn, up to 1")
    }
    if let steps { try CommandError.check("hires-steps", steps, in: 1...1000) }
    for (isGiven, what) in [
      (request.sigmas != nil, "--sigmas are the levels of one pass"), (request.latentsIn != nil, "--latents-in is for one pass"),
      (request.trajectory != nil, "--trajectory records one pass"),
      (request.picture.image != nil, "--init-img is enlarged itself and drawn on from, with --strength"),
    ] where isGiven {
      throw CommandError.usage("--hires: \(what); leave one of them out")
    }
  }

  /// The size that the small picture is brought to, and the part of it that remains around its centre.
  ///
  /// With a size of other proportions the picture covers it and is cut. As in the web UI, latents are whole.
  func sizes(
    width: Int, height: Int, factor: Int
  ) throws -> (enlarged: (width: Int, height: Int), kept: (width: Int, height: Int)) {
    func whole(_ pixels: Double) -> Int { max(1, Int(pixels) / factor) * factor }
    let (w, h) = (Double(width), Double(height))
    var enlarged = (width: whole(w * scale), height: whole(h * scale))
    var kept = enlarged
    if let size {
      let (x, y) = (Double(size.width), Double(size.height))
      if size.height == 0 || (size.width > 0 && x * h > y * w) {
        enlarged = (whole(x), whole(x * h / w))
      } else {
        enlarged = (whole(y * w / h), whole(y))
      }
      kept = (
        size.width == 0 ? enlarged.width : min(enlarged.width, whole(x)),
        size.height == 0 ? enlarged.height : min(enlarged.height, whole(y))
      )
    }
    for (name, value) in [("width", enlarged.width), ("height", enlarged.height)] where value > 8192 {
      throw CommandError.usage("--hires: the large picture's \(name) would be \(value), expected at most 8192")
    }
    return (enlarged, kept)
  }

  /// The steps of the second pass's schedule and how many of its first are left out, so that as many as were
  /// asked for are taken. Source: the web UI's `setup_img2img_steps`.
  func steps(first: Int) -> (all: Int, leftOut: Int) {
    let taken = steps ?? first
    let all = max(taken, Int(Double(taken) / min(strength, 0.999)))
    return (all, all - taken)
  }

  /// The settings as the A1111 web UI spells them.
  var settings: [GenerationParameters.Setting] {
    guard isOn else { return [] }
    var settings: [GenerationParameters.Setting] = [
      .init("Denoising strength", GenerationParameters.number(strength))
    ]
    if let size {
      settings.append(.init("Hires resize", "\(size.width)x\(size.height)"))
    } else {
      settings.append(.init("Hires upscale", GenerationParameters.number(scale)))
    }
    if let steps { settings.append(.init("Hires steps", "\(steps)")) }
    return settings + [.init("Hires upscaler", upscaler.title)]
  }

  /// What decides the second pass, as `init(_:)` reads it; nil without one.
  func json() throws -> JSONValue? {
    guard isOn else { return nil }
    var fields: [(String, JSONValue)] = [("strength", .double(strength)), ("upscaler", .string(upscaler.title))]
    if case .file(let path) = upscaler {
      fields.append(("path", .string(path)))
      fields.append(("sha256", .string(try PictureHashes.whole(path))))
    }
    if let size {
      fields += [("width", .int(size.width)), ("height", .int(size.height))]
    } else {
      fields.append(("scale", .double(scale)))
    }
    if let steps { fields.append(("steps", .int(steps))) }
    return .fields(fields)
  }

  /// Reads what `json` wrote.
  ///
  /// - Throws: for an upscaler that is unknown or is a file that is not where it was.
  init(_ object: JSONObject) throws {
    isOn = true
    strength = try object.double("strength")
    if let width = object["width"]?.int { size = (width, try object.int("height")) }
    if object["scale"] != nil { scale = try object.double("scale") }
    if object["steps"] != nil { steps = try object.int("steps") }
    if let path = object["path"]?.string {
      guard let hash = try? PictureHashes.whole(path), hash == object["sha256"]?.string else {
        throw object.error("path", "the upscaler '\(path)' is not there, or is another one by now")
      }
      upscaler = .file(path)
    } else {
      let name = try object.string("upscaler")
      guard let found = HiresUpscaler(spelling: name) else {
        throw object.error("upscaler", "'\(name)' is unknown here")
      }
      upscaler = found
    }
  }
}
