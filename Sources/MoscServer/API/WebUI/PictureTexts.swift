import Foundation
import MoscFormats
import MoscImages
import MoscPrompts
import MoscReport

/// The texts of a picture, as `png-info` gives them.
enum PictureTexts {
  static func json(_ data: Data) throws -> JSONValue {
    let texts: [PNG.Text]
    if data.starts(with: [0xff, 0xd8]) {
      _ = try UploadedPicture.image(data, field: "image")
      texts = JPEG.texts(data)
    } else {
      do {
        texts = try PNG.decode(data, path: "image").texts
      } catch {
        throw APIError(400, "Invalid encoded image")
      }
    }
    let info = texts.first { $0.keyword == "parameters" }?.text ?? ""
    var items: [(String, JSONValue)] = []
    for (keyword, text) in texts where !items.contains(where: { $0.0 == keyword }) { items.append((keyword, .string(text))) }
    var parameters: [(String, JSONValue)] = []
    if !info.isEmpty, let read = try? Infotext(reading: info) {
      parameters = read.fields.map { ($0.name, .string($0.value.text)) }
    }
    return .fields([("info", .string(info)), ("items", .fields(items)), ("parameters", .fields(parameters))])
  }
}
