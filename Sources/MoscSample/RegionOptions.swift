import Foundation
import MoscDiffusion
import MoscFormats
import MoscImages
import MoscReport

/// The regions of `mosc sample`, in the spellings it takes.
package struct RegionOptions: Hashable, Sendable {
  /// `--region` texts.
  package var texts: [String] = []
  /// A scene file with the same fields.
  package var scene: String?
  /// The reference's spelling of regions.
  package var rewrite: String?
  /// How a prompt divides the picture by keywords.
  package var prompter = RegionalPrompterText()
  /// How a prompt divides the picture by lines; nil if it does not.
  package var lines: CoupledLines?
  /// What the prompt divided it into.
  private(set) var divided: [Region] = []

  package init() {}

  /// Takes the regions out of prompts that divide the picture.
  mutating func divide(_ prompts: inout [String], negative: inout String) throws {
    guard lines != nil || prompts.contains(where: prompter.applies) else { return }
    guard let prompt = prompts.first, prompts.count == 1 else {
      throw CommandError.usage(
        "prompts that divide the picture are drawn one by one, found \(prompts.count)")
    }
    guard texts.isEmpty, scene == nil, rewrite == nil else {
      throw CommandError.usage(
        "the prompt divides the picture, and --region, --regions or --prompt-rewrite do, too")
    }
    do {
      let reading = try lines?.read(prompt) ?? prompter.read(prompt, negative: negative)
      (prompts, divided) = ([reading.prompt], reading.regions)
      // Parts for the regions are none for the picture.
      if reading.regions.contains(where: { $0.negative != nil }) { negative = "" }
    } catch let error as PromptError {
      throw CommandError.usage(error.description)
    }
  }

  /// Reads all regions, in the order: those of the prompt, rewrite, scene, texts.
  package func regions(width: Int, height: Int) throws -> [Region] {
    var result = divided
    do {
      if let rewrite {
        result += try RewriteText.regions(rewrite, width: width, height: height)
      }
      var fields: [(RegionText, folder: URL)] = []
      if let scene { fields += try read(scene) }
      let here = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
      for text in texts { fields.append((try RegionText(text), here)) }
      for (text, folder) in fields {
        result.append(
          try text.region(number: result.count + 1, width: width, height: height) { path in
            try Self.mask(URL(fileURLWithPath: path, relativeTo: folder).absoluteURL)
          })
      }
    } catch let error as PromptError {
      throw CommandError.usage(error.description)
    }
    return result
  }

  /// Everything that is written about regions, in which words may be looked for.
  func words() throws -> [String] {
    texts + divided.flatMap { [$0.prompt, $0.negative ?? ""] } + [rewrite].compactMap { $0 } + (try scene.map { [try TextFile.read($0)] } ?? [])
  }

  private func read(_ path: String) throws -> [(RegionText, folder: URL)] {
    let url = URL(fileURLWithPath: path)
    let value = try JSONValue.parse(try readFile(url), path: path)
    guard let list = value.array ?? value["regions"]?.array else {
      throw FormatError(path, nil, "expected a list of regions, or an object with 'regions'")
    }
    if list.isEmpty { throw FormatError(path, "regions", "the list is empty") }
    return try list.enumerated().map { index, item in
      (try RegionText(item, place: "\(path): regions[\(index)]"), url.deletingLastPathComponent())
    }
  }

  /// The brightness and opacity of a picture as a mask.
  private static func mask(_ url: URL) throws -> RegionMask {
    let image = try ImageFile.read(url).mask(path: url.path)
    return RegionMask(
      width: image.width, height: image.height, values: image.pixels.map { Float($0) / 255 })
  }
}
