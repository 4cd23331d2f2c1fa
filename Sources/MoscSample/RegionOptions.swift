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

  package init() {}

  /// Reads all regions, in the order: rewrite, scene, texts.
  package func regions(width: Int, height: Int) throws -> [Region] {
    var result: [Region] = []
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
