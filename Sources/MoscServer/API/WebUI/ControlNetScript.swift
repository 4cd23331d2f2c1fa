import Foundation
import MoscFormats
import MoscImages
import MoscReport
import MoscSample

/// Units of the web UI's ControlNet extension: pictures that are followed, each with a network of the folder of models.
///
/// Source: `internal_controlnet/args.py` and `scripts/enums.py` of sd-webui-controlnet.
enum ControlNetScript {
  /// The preprocessors that are here, under the extension's names.
  static let modules: [(name: String, preprocessor: ControlPreprocessor)] = [
    ("none", .none), ("canny", .canny), ("scribble_xdog", .scribble), ("invert (from white bg & black line)", .invert),
  ]

  private static let mostUnits = 8

  /// Adds the units to the request, whose size and first picture are known.
  ///
  /// - Throws: `APIError` naming unit and field.
  static func apply(_ args: ScriptArguments, to request: inout SampleRequest, _ services: Services) throws {
    guard args.count <= mostUnits else {
      throw APIError.field("alwayson_scripts", "ControlNet: \(args.count) units, at most \(mostUnits) are taken")
    }
    for index in 0..<args.count {
      guard let value = args[index] else { continue }
      guard let members = value.members else { throw args.fault(index, "expected a unit, an object") }
      do {
        try unit(JSONFields(members), to: &request, services)
      } catch let error as APIError where error.status == 422 {
        throw APIError.field(
          "alwayson_scripts", "ControlNet, unit \(index + 1), \(error.field ?? "unit"): \(error.message)", error.input)
      }
    }
  }

  private static func unit(_ fields: JSONFields, to request: inout SampleRequest, _ services: Services) throws {
    guard try fields.bool("enabled") ?? true else { return }
    try checkOthers(fields, request)
    let name = try fields.string("model") ?? "None"
    let preprocessor = try preprocessor(fields)
    if ["none", ""].contains(name.lowercased()) {
      // Without a network nothing is followed; some preprocessors of the extension need none.
      if preprocessor == .none { return }
      throw APIError.field("model", "expected the name of a ControlNet", fields["model"])
    }
    let network = try network(name, services)
    let image = try picture(fields, request)
    let strength = try fields.double("weight", in: 0...2) ?? 1
    let start = try fields.double("guidance_start", in: 0...1) ?? 0
    let end = try fields.double("guidance_end", in: 0...1) ?? 1
    guard start < end else { throw APIError.field("guidance_end", "expected more than guidance_start", fields["guidance_end"]) }
    let mode = try mode(fields)
    switch network.kind {
    case .controlNet:
      var net = ControlRequest(net: network.path, image: try InitialPicture.text(image))
      (net.strength, net.start, net.end, net.mode, net.preprocessor) = (strength, start, end, mode, preprocessor)
      request.control.nets.append(net)
    case .t2iAdapter:
      for (field, isNeutral) in [("guidance_start", start == 0), ("guidance_end", end == 1), ("control_mode", mode == .balanced)]
      where !isNeutral {
        throw APIError.field(field, "a T2I-Adapter acts in all steps and on all predictions alike", fields[field])
      }
      var condition = SpatialCondition(adapter: network.path, image: try InitialPicture.text(preprocessor(image)))
      condition.strength = strength
      request.conditions.append(condition)
    }
  }

  /// The network of a name, which may have its hash behind it, as in `control_canny [d14c016b]`.
  private static func network(_ name: String, _ services: Services) throws -> ConditionNetworks.Network {
    let plain = name.replacing(/\ \[[0-9a-f]{8,10}\]$/, with: "")
    let all = try services.catalog.conditionNetworks()
    if let found = all.first(where: { $0.name == plain }) ?? all.first(where: { $0.name.lowercased() == plain.lowercased() }) {
      return found
    }
    let nearest = NearestName.suggest(plain, in: all.map(\.name)).map { ", did you mean '\($0)'?" } ?? ""
    throw APIError.field("model", "there is no ControlNet '\(PlainPaths.clean(name))'\(nearest)")
  }

  private static func preprocessor(_ fields: JSONFields) throws -> ControlPreprocessor {
    let name = try fields.string("module") ?? "none"
    switch name.lowercased() {
    case "", "none": return .none
    case "invert", "invert (from white bg & black line)": return .invert
    case "scribble", "scribble_xdog": return .scribble
    case "canny":
      // Values that no slider has, such as -1, are the usual ones.
      let low = try fields.double("threshold_a", in: -1...255) ?? -1, high = try fields.double("threshold_b", in: -1...255) ?? -1
      let numbers = (low < 0 ? 100 : Int(low), high < 0 ? 200 : Int(high))
      guard numbers.0 <= numbers.1 else { throw APIError.field("threshold_b", "expected at least threshold_a", fields["threshold_b"]) }
      return .canny(low: numbers.0, high: numbers.1)
    default:
      throw APIError.field("module", "'\(PlainPaths.clean(name))' is not here; there are \(modules.map(\.name).joined(separator: ", "))")
    }
  }

  private static func mode(_ fields: JSONFields) throws -> ControlRequest.Mode {
    if try fields.bool("guessmode") == true { return .control }
    guard let value = fields["control_mode"] else { return .balanced }
    switch value.int.map(String.init) ?? value.string?.lowercased() {
    case "0", "balanced": return .balanced
    case "1", "my prompt is more important": return .prompt
    case "2", "controlnet is more important": return .control
    default:
      throw APIError.field(
        "control_mode", "expected Balanced, My prompt is more important or ControlNet is more important", value)
    }
  }

  /// The picture of the unit, else the one that pictures begin with, in the size of the drawing.
  private static func picture(_ fields: JSONFields, _ request: SampleRequest) throws -> PixelImage {
    // Some clients send an object of picture and mask.
    let given = fields["image"] ?? fields["input_image"]
    if let mask = given?["mask"]?.string, !mask.isEmpty { throw APIError.field("mask", "is not supported") }
    let text = given?.string ?? given?["image"]?.string ?? ""
    guard let source = text.isEmpty ? request.picture.image : text else {
      throw APIError.field("image", "expected a picture as base64", kind: "missing")
    }
    let image = try UploadedPicture.image(source, field: "image").rgb
    guard let width = request.width, let height = request.height else { return image }
    return try image.fitted(width, height, resize(fields), .lanczos)
  }

  private static func resize(_ fields: JSONFields) throws -> PictureOptions.Resize {
    guard let value = fields["resize_mode"] else { return .crop }
    let name = value.int.map(String.init) ?? value.string ?? ""
    // The extension's own older names.
    let older: [String: PictureOptions.Resize] = ["scale to fit (inner fit)": .crop, "envelope (outer fit)": .pad]
    guard let mode = older[name.lowercased()] ?? PictureOptions.Resize(spelling: name) else {
      throw APIError.field("resize_mode", "expected Just Resize, Crop and Resize or Resize and Fill", value)
    }
    return mode
  }

  private static let read: Set<String> = [
    "enabled", "model", "module", "image", "input_image", "weight", "guidance_start", "guidance_end", "control_mode",
    "guessmode", "threshold_a", "threshold_b", "resize_mode", "hr_option",
  ]
  /// Fields that change nothing here, whatever they say: of the page, of memory, and the resolution in which the
  /// extension looks at pictures, which here is that of the drawing.
  private static let idle: Set<String> = [
    "low_vram", "lowvram", "pixel_perfect", "processor_res", "save_detected_map", "use_preview_as_input", "is_ui",
    "input_mode", "inpaint_crop_input_image", "generated_image", "output_dir", "union_control_type", "pulid_mode",
  ]

  /// Refuses by name what is set and does nothing here.
  private static func checkOthers(_ fields: JSONFields, _ request: SampleRequest) throws {
    for member in fields.members where !read.contains(member.key) && !idle.contains(member.key) {
      let isNeutral =
        [.null, .bool(false), .string(""), .array([]), .fields([])].contains(member.value)
      if !isNeutral { throw APIError.field(member.key, "is not supported", member.value.array == nil ? nil : .array([])) }
    }
    guard let when = try fields.string("hr_option"), request.hires.isOn, when.lowercased() != "both" else { return }
    throw APIError.field("hr_option", "'\(when)' is not supported, expected Both", fields["hr_option"])
  }
}
