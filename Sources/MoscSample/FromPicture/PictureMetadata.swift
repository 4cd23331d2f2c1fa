import Foundation
import MoscDiffusion
import MoscFormats
import MoscReport

/// How pictures say what they were made from, and are drawn again from it.
extension PictureOptions {
  private static func file(_ text: String, _ option: String) throws -> JSONValue {
    let picture = PictureText(text, option)
    let path = picture.path.map { [("path", JSONValue.string($0))] } ?? []
    return .fields(path + [("sha256", .string(try picture.hash()))])
  }

  /// Everything that decides what is made of a picture, as `init(_:place:)` reads it.
  ///
  /// - Parameters:
  ///   - width, height: the size that was asked for.
  func json(width: Int?, height: Int?) throws -> JSONValue? {
    guard let image else { return nil }
    var fields: [(String, JSONValue)] = [("image", try Self.file(image, "--init-img"))]
    if let strength { fields.append(("strength", .double(strength))) }
    if let width { fields.append(("width", .int(width))) }
    if let height { fields.append(("height", .int(height))) }
    if resize != .resize { fields.append(("resize_mode", .string(resize.rawValue))) }
    if let mask { fields.append(("mask", try Self.file(mask, "--mask"))) }
    if invertsMask { fields.append(("inpaint_invert", .bool(true))) }
    if let maskBlur { fields.append(("mask_blur", .double(maskBlur))) }
    if let fill { fields.append(("inpaint_fill", .string(fill.rawValue))) }
    if drawsOnlyMasked { fields.append(("inpaint_full_res", .bool(true))) }
    if let padding { fields.append(("inpaint_full_res_padding", .int(padding))) }
    if !margins.isEmpty { fields.append(("outpaint", .string(margins.description))) }
    if keepsOutside { fields.append(("keep_outside", .bool(true))) }
    return .fields(fields)
  }

  /// Reads what `json` wrote.
  ///
  /// Picture and mask are `RememberedPicture`s, which are looked for when the picture is drawn.
  init(_ object: JSONObject) throws {
    self.init()
    func named<Value>(_ key: String, _ read: (String) -> Value?) throws -> Value? {
      guard let text = object[key]?.string else { return nil }
      guard let value = read(text) else { throw object.error(key, "'\(text)' is unknown here") }
      return value
    }
    strength = object["strength"]?.double
    resize = try named("resize_mode", Resize.init(rawValue:)) ?? .resize
    invertsMask = try object.bool("inpaint_invert", default: false)
    maskBlur = object["mask_blur"]?.double
    fill = try named("inpaint_fill", Fill.init(rawValue:))
    drawsOnlyMasked = try object.bool("inpaint_full_res", default: false)
    padding = object["inpaint_full_res_padding"]?.int
    margins = try named("outpaint", Margins.init(spelling:)) ?? Margins()
    keepsOutside = try object.bool("keep_outside", default: false)
  }

  /// The settings as the A1111 web UI spells them.
  func settings(_ plan: PicturePlan) -> [GenerationParameters.Setting] {
    var settings: [GenerationParameters.Setting] = [
      .init("Denoising strength", GenerationParameters.number(plan.strength))
    ]
    guard plan.marks != nil else { return settings }
    settings.append(.init("Mask blur", GenerationParameters.number(maskBlur ?? Self.usualBlur)))
    if invertsMask { settings.append(.init("Mask mode", "Inpaint not masked")) }
    if plan.fill != .original { settings.append(.init("Masked content", plan.fill.title)) }
    if drawsOnlyMasked {
      settings.append(.init("Inpaint area", "Only masked"))
      settings.append(.init("Masked area padding", "\(padding ?? Self.usualPadding)"))
    }
    return settings
  }
}

extension VariationOptions {
  /// The settings of a picture as the A1111 web UI spells them.
  func settings(_ picture: SamplePlan.Picture) -> [GenerationParameters.Setting] {
    guard isOn else { return [] }
    return [
      .init("Variation seed", "\(picture.variationSeed)"),
      .init("Variation seed strength", GenerationParameters.number(strength)),
    ]
  }
}

/// A picture that another was made from, as the other remembers it.
struct RememberedPicture: Hashable, Sendable {
  /// nil when it was no file.
  var path: String?
  var hash: String

  init(_ value: JSONValue, _ object: JSONObject, _ key: String) throws {
    guard let hash = value["sha256"]?.string else { throw object.error(key, "it has no sha256") }
    (path, self.hash) = (value["path"]?.string, hash)
  }

  /// The file: the one that is given, else where it was, from the working folder or beside the picture.
  ///
  /// - Throws: when there is none, or it is another one by now.
  func found(_ given: String?, beside picture: URL, _ option: String) throws -> String {
    let place = picture.deletingLastPathComponent()
    let tries = given.map { [$0] } ?? path.map { path in
      [path, place.appending(path: URL(fileURLWithPath: path).lastPathComponent).path]
    } ?? []
    guard let file = tries.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
      throw CommandError.usage(
        "'\(picture.path)' was made from "
          + ((given ?? path).map { "'\($0)', which is not there" } ?? "a picture that was no file")
          + ": say where it is with \(option)")
    }
    let found = try FileHash.sha256(of: URL(fileURLWithPath: file))
    guard found == hash else {
      throw FormatError(
        file, nil, "has the hash \(found.prefix(12)), the picture was made from one with \(hash.prefix(12))")
    }
    return file
  }
}
