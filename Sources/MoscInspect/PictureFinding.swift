import Foundation
import MoscFormats
import MoscImages

extension Inspection {
  /// A PNG or JPEG file with the texts in it.
  static func pictureFinding(_ url: URL, _ path: String) throws -> Finding {
    let data = try readFile(url)
    let isJPEG = data.starts(with: [0xff, 0xd8])
    let image: PixelImage
    let texts: [PNG.Text]
    if isJPEG {
      (image, texts) = (try ImageFile.decode(data, path: path), JPEG.texts(data))
    } else {
      (image, texts) = try PNG.decode(data, path: path)
    }
    var finding = Finding(path, .picture, "a \(isJPEG ? "JPEG" : "PNG") picture, \(image.width)x\(image.height)")
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
