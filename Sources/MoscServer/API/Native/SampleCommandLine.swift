import MoscDiffusion
import MoscFormats
import MoscRandom
import MoscSample

/// A request as a command line of `mosc sample` that draws the same bytes.
package struct SampleCommandLine {
  package let text: String
  /// Regions that a command line cannot hold, for a file `scene.json`; nil where none is needed.
  package let scene: [JSONValue]?

  /// - Parameter model: the model's name; nil for the embedded one.
  package init(_ request: SampleRequest, model: String?) {
    var words = ["mosc", "sample"]
    func add(_ option: String, _ value: String) { words += [option, Self.quoted(value)] }
    if let model { add("-m", model) }
    add("-p", request.prompt)
    if !request.negativePrompt.isEmpty { add("-n", request.negativePrompt) }
    if let width = request.width { add("-W", "\(width)") }
    if let height = request.height { add("-H", "\(height)") }
    add("--steps", "\(request.steps)")
    if let guidance = request.guidance { add("--cfg-scale", GenerationParameters.number(guidance)) }
    add("-s", request.seeds.map(String.init).joined(separator: ","))
    add("--sampler", "\(request.sampler)")
    if let levels = request.levels { add("--scheduler", levels.rawValue) }
    if request.clipSkip > 1 { add("--clip-skip", "\(request.clipSkip)") }
    if request.batchCount > 1 { add("-b", "\(request.batchCount)") }
    if request.batchSize > 1 { add("--batch-size", "\(request.batchSize)") }
    if request.randomSource != .cpu { add("--rng", request.randomSource.rawValue) }
    if let eta = request.eta { add("--eta", GenerationParameters.number(eta)) }
    words += LargePictureFields.words(request)
    let items = request.regions.items.map(Self.plain)
    let texts = request.prompts + items.map(\.description)
    if texts.contains(where: { $0.contains("<lora:") || $0.contains("<lyco:") || $0.contains("\"lora\"") }) {
      add("--lora-dir", "concepts")
    }
    let regions = items.compactMap(Self.region)
    if regions.count == items.count {
      scene = nil
      for text in regions { add("--region", text) }
    } else {
      scene = items
      add("--regions", "scene.json")
    }
    text = words.joined(separator: " ")
  }

  /// A region whose adapters are named without their places on this disk.
  private static func plain(_ item: JSONValue) -> JSONValue {
    .object((item.members ?? []).map { member in
      guard member.key == "lora" else { return member }
      let names = (member.value.array ?? []).compactMap(\.string).map { $0.split(separator: "/").last.map(String.init) ?? $0 }
      return .init("lora", .array(names.map(JSONValue.string)))
    })
  }

  /// A region in the spelling of `--region`; nil for one with a mask, or with texts that cannot be quoted.
  private static func region(_ item: JSONValue) -> String? {
    var fields: [String] = []
    for member in item.members ?? [] {
      let value: String
      switch member.value {
      case .string(let text): value = text
      case .int(let number): value = "\(number)"
      case .double(let number): value = "\(number)"
      case .array(let list) where member.key == "lora":
        fields += list.compactMap(\.string).map { "lora=\($0)" }
        continue
      case .array(let list): value = list.compactMap(\.double).map(GenerationParameters.number).joined(separator: ",")
      default: return nil
      }
      if member.key == "mask" || value.contains("\"") || value.contains("\n") { return nil }
      fields.append("\(member.key)=\(value.contains(";") ? "\"\(value)\"" : value)")
    }
    return fields.joined(separator: "; ")
  }

  /// A word as a POSIX shell reads it.
  package static func quoted(_ text: String) -> String {
    let isPlain = !text.isEmpty && text.unicodeScalars.allSatisfy { scalar in
      scalar.isASCII && (scalar.properties.isAlphabetic || "0123456789.,:_-+/=@".unicodeScalars.contains(scalar))
    }
    return isPlain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
  }
}
