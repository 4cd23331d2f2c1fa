import Foundation
import MoscFormats
import MoscImages
import MoscReport
import MoscSample

/// A picture with what it was to show.
struct JudgedPicture: Sendable {
  var image: PixelImage
  /// The prompt with the class word for a concept.
  var caption: String
  /// The title of the prompts it belongs to; empty for none.
  var group = ""
  /// What sheets and errors call it.
  var name: String
  /// Captions that are wrong about it, by the kind of the mistake.
  var wrong: [(kind: String, text: String)] = []
  /// What is to be where.
  var parts: [PicturePart] = []
}

/// Pictures that are there already.
struct PictureFolder {
  /// The pictures of a folder with their prompts: of a text file beside each, the settings in the
  /// picture, or a name as Mix-of-Show gives them.
  ///
  /// - Throws: `FormatError` for a picture that tells no prompt, a folder without pictures.
  static func read(_ path: String, _ caption: Caption) throws -> [JudgedPicture] {
    try files(path).map { url in
      try Interruption.check()
      var picture = JudgedPicture(
        image: try ImageFile.read(url).rgb, caption: try caption.text(try prompt(url)),
        name: url.lastPathComponent)
      picture.wrong = try WrongCaptions(beside: url).texts
      picture.parts = try parts(beside: url)
      return picture
    }
  }

  /// The PNG and JPEG files of a folder by name.
  static func files(_ path: String) throws -> [URL] {
    let folder = URL(fileURLWithPath: path)
    let names = try namesInFolder(folder).filter { name in
      let ending = (name as NSString).pathExtension.lowercased()
      return !name.hasPrefix(".") && ["png", "jpg", "jpeg"].contains(ending)
    }
    if names.isEmpty { throw FormatError(path, nil, "holds no pictures, expected .png or .jpg files") }
    return names.sorted().map { folder.appending(path: $0) }
  }

  /// What is to be where, as the file beside a picture says that has what is wrong about it.
  private static func parts(beside picture: URL) throws -> [PicturePart] {
    let url = picture.deletingPathExtension().appendingPathExtension("json")
    guard FileManager.default.fileExists(atPath: url.path) else { return [] }
    let file = try JSONObject(contentsOf: url)
    return try PicturePart.list(file["parts"]) { file.error("parts", $0) }
  }

  /// What a picture was to show.
  private static func prompt(_ url: URL) throws -> String {
    let text = url.deletingPathExtension().appendingPathExtension("txt")
    if FileManager.default.fileExists(atPath: text.path) {
      let line = String(try TextFile.read(text.path).textLines.first ?? "")
      return line.trimmingCharacters(in: .whitespaces)
    }
    let stem = url.deletingPathExtension().lastPathComponent
    do {
      return try PictureSettings(contentsOf: url).request.prompt
    } catch let error as FormatError {
      guard let end = stem.range(of: "---") else {
        throw FormatError(
          url.path, nil,
          "tells no prompt: expected '\(text.lastPathComponent)' beside it, settings in it, or a name "
            + "like 'a_cat---G_7.5.png'; of its settings: \(error)")
      }
      return String(stem[..<end.lowerBound]).replacing("_", with: " ")
    }
  }
}
