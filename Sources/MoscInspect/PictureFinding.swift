import Foundation
import MoscFormats
import MoscImages

extension Inspection {
  /// A PNG, JPEG or WebP file with the texts in it.
  static func pictureFinding(_ url: URL, _ path: String) throws -> Finding {
    let data = try readFile(url)
    let image = try ImageFile.decode(data, path: path)
    let texts = try ImageFile.texts(data, path: path)
    let format = data.starts(with: [0xff, 0xd8]) ? "JPEG" : WebP.begins(data) ? "WebP" : "PNG"
    var finding = Finding(path, .picture, "a \(format) picture, \(image.width)x\(image.height)")
    finding.add("width", image.width)
    finding.add("height", image.height)
    finding.add("channels", image.channels)
    finding.add(bytes: data.count)
    for (keyword, text) in texts {
      // Our own text is an object, which programs rather read as such.
      let value = keyword == "mosc" ? try? JSONValue.parse(text.utf8, path: path) : nil
      finding.add(keyword, value ?? .string(text))
    }
    finding.commands = ["mosc sketch \(quoted(path))", "mosc grid --row '=\(path)'"]
    return finding
  }
}
