import Foundation
import MoscDiffusion
import MoscFormats
import MoscReport
import MoscSample

/// The scripts of the web UI that are here, by their positional arguments: those that place prompts, and ControlNet.
///
/// Sources: README and `scripts/rp.py` of sd-webui-regional-prompter, README of sd-forge-couple 7.
enum AlwaysOnScripts {
  static let names = ["Regional Prompter", "Forge Couple", "mosc", "ControlNet"]

  /// Puts what the scripts say into the request, whose sizes and first picture are known.
  ///
  /// - Returns: what is written about the pictures besides.
  static func apply(_ scripts: JSONFields, to request: inout SampleRequest, _ services: Services) throws -> [(String, JSONValue)] {
    var extra: [(String, JSONValue)] = []
    var used: String?
    for member in scripts.members {
      guard let name = names.first(where: { $0.lowercased() == member.key.lowercased() }) else {
        throw APIError(422, "always on script \(member.key) not found")
      }
      let args = try ScriptArguments(name, member.value)
      let isActive: Bool
      switch name {
      case "ControlNet":
        try ControlNetScript.apply(args, to: &request, services)
        continue
      case "Regional Prompter": isActive = try RegionalPrompterScript.apply(args, to: &request, &extra)
      case "Forge Couple": isActive = try ForgeCoupleScript.apply(args, to: &request, services)
      default: isActive = try scene(args, to: &request, services)
      }
      guard isActive else { continue }
      if let used { throw APIError(422, "\(used) and \(name) both place prompts; use one") }
      used = name
    }
    return extra
  }

  /// Our own: `{"args": [{"regions": [...]}]}`.
  private static func scene(
    _ args: ScriptArguments, to request: inout SampleRequest, _ services: Services
  ) throws -> Bool {
    guard let object = args[0] else { return false }
    guard let regions = object["regions"]?.array else {
      throw APIError.field("alwayson_scripts", "mosc: expected an object with 'regions'")
    }
    request.regions.items = try DrawFields.regions(regions, field: "regions", services)
    return !regions.isEmpty
  }

  /// The labels and defaults of a script's arguments.
  static func arguments(_ name: String) -> [(label: String, value: JSONValue)] {
    switch name {
    case "Regional Prompter": RegionalPrompterScript.arguments
    case "Forge Couple": ForgeCoupleScript.arguments
    case "ControlNet": [("unit", .fields([("enabled", .bool(false))]))]
    default: [("scene", .fields([("regions", .array([]))]))]
    }
  }
}

/// The positional arguments of a script; short lists keep defaults.
struct ScriptArguments {
  let script: String
  private let values: [JSONValue]

  init(_ script: String, _ value: JSONValue) throws {
    self.script = script
    // A list may stand by itself, as some clients send it.
    guard let list = value["args"]?.array ?? value.array else {
      throw APIError.field("alwayson_scripts", "\(script): expected an object with a list 'args'")
    }
    values = list
  }

  /// The argument; nil where it is left out or null.
  subscript(index: Int) -> JSONValue? {
    values.indices.contains(index) && values[index] != .null ? values[index] : nil
  }

  var count: Int { values.count }

  func flag(_ index: Int, _ standard: Bool) throws -> Bool {
    guard let value = self[index] else { return standard }
    if let flag = value.bool { return flag }
    if let number = value.int, (0...1).contains(number) { return number == 1 }
    throw fault(index, "expected true or false")
  }

  func text(_ index: Int, _ standard: String) throws -> String {
    guard let value = self[index] else { return standard }
    if let text = value.string { return text }
    if let number = value.double { return GenerationParameters.number(number) }
    throw fault(index, "expected a text")
  }

  func number(_ index: Int, _ standard: Double) throws -> Double {
    guard let value = self[index] else { return standard }
    if let number = value.double, number.isFinite { return number }
    if let number = value.string.flatMap({ Double($0) }), number.isFinite { return number }
    throw fault(index, "expected a number")
  }

  func fault(_ index: Int, _ message: String) -> APIError {
    APIError.field("alwayson_scripts", "\(script), argument \(index + 1): \(message)", values.indices.contains(index) ? values[index] : nil)
  }
}
