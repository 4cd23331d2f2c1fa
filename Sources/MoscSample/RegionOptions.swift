import Foundation
import MoscDiffusion
import MoscFormats
import MoscImages
import MoscReport

/// The regions of `mosc sample`, in the spellings it takes.
package struct RegionOptions: Hashable, Codable, Sendable {
  /// `--region` texts.
  package var texts: [String] = []
  /// A scene file with the same fields.
  package var scene: String?
  /// The reference's spelling of regions.
  package var rewrite: String?
  /// Objects as in scene files, such as pictures hold.
  package var items: [JSONValue] = []
  /// How a prompt divides the picture by keywords.
  package var prompter = RegionalPrompterText()
  /// How a prompt divides the picture by lines; nil if it does not.
  package var lines: CoupledLines?
  /// What becomes of pixels in several regions.
  package var overlap = RegionCoverage.Overlap.average
  /// What is told about them besides the picture.
  package var report = RegionReportOptions()
  /// What the prompt divided it into.
  private(set) var divided: [Region] = []
  /// A prompt that divides the picture as it was written, and what of it is the picture's own.
  private(set) var source: Source?

  package init() {}

  /// What was asked for, without what a plan made of it.
  private enum CodingKeys: CodingKey {
    case texts, scene, rewrite, items, prompter, lines, overlap, report
  }

  struct Source: Hashable {
    var prompt: String
    var negative: String
    var own: String
  }

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
      let (own, parts) = Self.distribute(reading.prompt, reading.regions)
      source = Source(prompt: lines == nil ? prompt : CoupledLines.lines(prompt), negative: negative, own: own)
      (prompts, divided) = ([own], parts)
      // Parts for the regions are none for the picture.
      if reading.regions.contains(where: { $0.negative != nil }) { negative = "" }
    } catch let error as PromptError {
      throw CommandError.usage(error.description)
    }
  }

  /// Reads all regions, in the order: those of the prompt, rewrite, scene, texts.
  package func regions(width: Int, height: Int) throws -> [Region] {
    var result = divided.map(Self.untagged)
    do {
      if let rewrite {
        result += try RewriteText.regions(rewrite, width: width, height: height)
      }
      for (text, folder) in try fields() {
        let region = try text.region(number: result.count + 1, width: width, height: height) { path in
          try Self.mask(path, relativeTo: folder)
        }
        result.append(Self.untagged(region))
      }
    } catch let error as PromptError {
      throw CommandError.usage(error.description)
    }
    return result
  }

  /// The texts of scene, options and pictures, each with the folder that its files are relative to.
  func fields() throws -> [(RegionText, folder: URL)] {
    var fields: [(RegionText, folder: URL)] = []
    if let scene { fields += try read(scene) }
    let here = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
    for text in texts { fields.append((try RegionText(text), here)) }
    for (index, item) in items.enumerated() {
      fields.append((try RegionText(item, place: "regions[\(index)]"), here))
    }
    return fields
  }

  /// Everything that is written about regions, in which words may be looked for.
  func words() throws -> [String] {
    texts + items.map(\.description) + divided.flatMap { [$0.prompt, $0.negative ?? ""] } + [rewrite].compactMap { $0 } + (try scene.map { [try TextFile.read($0)] } ?? [])
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

  private static let maskPrefix = "data:image/png;base64,"

  /// A mask as a text that can be read again.
  static func text(_ mask: RegionMask) throws -> String {
    let image = PixelImage(
      width: mask.width, height: mask.height, channels: 1,
      pixels: mask.values.map { UInt8(($0 * 255).rounded()) })
    return maskPrefix + (try PNG.encode(image)).base64EncodedString()
  }

  /// The brightness and opacity of a picture as a mask.
  ///
  /// - Parameter path: a file, or the picture itself as `data:image/png;base64,…`.
  private static func mask(_ path: String, relativeTo folder: URL) throws -> RegionMask {
    let image: PixelImage
    if path.hasPrefix(maskPrefix) {
      guard let data = Data(base64Encoded: String(path.dropFirst(maskPrefix.count))) else {
        throw CommandError.failure("the mask of a region is no base64 text")
      }
      image = try PNG.decode(data, path: "the mask of a region").image.mask(path: "the mask of a region")
    } else {
      let url = URL(fileURLWithPath: path, relativeTo: folder).absoluteURL
      image = try ImageFile.read(url).mask(path: url.path)
    }
    return RegionMask(
      width: image.width, height: image.height, values: image.pixels.map { Float($0) / 255 })
  }
}
