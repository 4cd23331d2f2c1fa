import Foundation
import MoscDiffusion
import MoscNetworks
import MoscPrompts
import MoscReport

/// The adapters that regions carry: `lora=FILE[:text[:unet]]`, and tags in their prompts.
extension RegionOptions {
  /// The adapters of every region, in the order of `regions(width:height:)`.
  ///
  /// - Parameter folder: where names are looked for that are no files.
  package func adapters(in folder: String?) throws -> [[AdapterRequest]] {
    var result = try divided.map { try Self.tagged($0.prompt, in: folder) }
    do {
      // Only how many they are is asked for here.
      let most = 1 << 20
      result += try (rewrite.map { try RewriteText.regions($0, width: most, height: most) } ?? [])
        .map { _ in [] }
      for (text, place) in try fields() {
        let named = try text.adapters.map { try Self.adapter($0, relativeTo: place, in: folder) }
        result.append(named + (try Self.tagged(text.values["prompt"] ?? "", in: folder)))
      }
    } catch let error as PromptError {
      throw CommandError.usage(error.description)
    }
    return result
  }

  /// The file of a `lora` field: as it is named there, or a name in the folder of adapters.
  private static func adapter(
    _ spelling: String, relativeTo place: URL, in folder: String?
  ) throws -> AdapterRequest {
    guard var request = AdapterRequest(spelling: spelling) else {
      throw CommandError.usage("lora=\(spelling): expected FILE, FILE:strength or FILE:text:unet")
    }
    let url = URL(fileURLWithPath: request.path, relativeTo: place).absoluteURL
    if FileManager.default.fileExists(atPath: url.path) {
      request.path = url.path
    } else if folder != nil, !request.path.contains("/") {
      request.path = try AdapterFiles.find(request.path, in: folder).path
    } else {
      throw CommandError.failure("lora=\(spelling): there is no file '\(url.path)'")
    }
    return request
  }

  /// The adapters that the tags of a region's prompt ask for.
  private static func tagged(_ prompt: String, in folder: String?) throws -> [AdapterRequest] {
    try LoraTag.tags(NetworkTag.take(from: prompt).tags).map { tag in
      try AdapterFiles.find(tag, in: folder)
    }
  }

  /// A region's prompt without the tags of adapters.
  static func untagged(_ region: Region) -> Region {
    var region = region
    let (text, tags) = NetworkTag.take(from: region.prompt)
    if tags.contains(where: { AdapterUse.types.contains($0.type) }) { region.prompt = text }
    return region
  }

  /// Tags of a prompt that divides the picture: one in the common part is for the whole picture, one in a
  /// cell for its region, also where the cells together are the picture's prompt.
  static func distribute(
    _ prompt: String, _ regions: [Region]
  ) -> (prompt: String, regions: [Region]) {
    let (text, tags) = NetworkTag.take(from: prompt)
    let local = regions.map { NetworkTag.take(from: $0.prompt).tags }
    func isCommon(_ tag: NetworkTag) -> Bool { local.allSatisfy { $0.contains(tag) } }
    let kept = tags.filter { tag in isCommon(tag) || !local.contains { $0.contains(tag) } }
    var result = regions
    for index in result.indices {
      for tag in Set(local[index]) where tags.contains(tag) && isCommon(tag) {
        result[index].prompt = result[index].prompt.replacing(tag.description, with: "")
      }
    }
    var once: [NetworkTag] = []
    for tag in kept where !once.contains(tag) { once.append(tag) }
    return (tags.isEmpty ? prompt : text + once.map(\.description).joined(), result)
  }
}
