import Foundation
import MoscFormats

/// The pictures of a folder with their captions and masks.
package struct ImageFolder: Sendable {
  /// The folder of the pictures.
  package var images: URL
  /// The folder of captions; nil for the one of the pictures.
  package var captions: URL?
  /// Whether captions are read; else all pictures have the fallback.
  package var readsCaptions: Bool
  package var captionExtension: String
  /// The folder of masks, `STEM.png`; nil for none.
  package var masks: URL?
  /// The caption of pictures without a caption file.
  package var fallback: String

  package init(
    images: URL, captions: URL? = nil, readsCaptions: Bool = true,
    captionExtension: String = ".txt", masks: URL? = nil, fallback: String
  ) {
    self.images = images
    self.captions = captions
    self.readsCaptions = readsCaptions
    self.captionExtension = captionExtension
    self.masks = masks
    self.fallback = fallback
  }

  /// The pictures in the order of their names.
  ///
  /// Every file but hidden ones and, in the folder of the pictures, texts counts as a picture, so
  /// that a damaged or foreign file is reported instead of passed over.
  /// - Parameters:
  ///   - process: what is done to every caption.
  ///   - problems: receives what is wrong: an empty folder, captions without picture, missing
  /// masks.
  package func list(
    transforms: Int = 0, _ problems: inout [FormatError], process: (String) -> String = { $0 }
  ) -> [TrainingImage] {
    let textFolder = captions ?? images
    guard let names = Self.files(images, &problems) else { return [] }
    let isShared = textFolder.standardizedFileURL == images.standardizedFileURL
    let texts = isShared ? names : readsCaptions ? Self.files(textFolder, &problems) ?? [] : []
    let notPictures = Set([captionExtension.dropFirst(), "txt", "caption", "npz", "json", "toml"])
    let pictures = names.filter { name in
      let ending = (name as NSString).pathExtension
      return !(isShared && notPictures.contains(Substring(ending)))
    }
    if pictures.isEmpty {
      problems.append(FormatError(images.path, nil, "the folder holds no pictures"))
    }
    let stems = Set(pictures.map { ($0 as NSString).deletingPathExtension })
    if readsCaptions {
      for text in texts where text.hasSuffix(captionExtension) {
        if !stems.contains(String(text.dropLast(captionExtension.count))) {
          problems.append(
            FormatError(
              textFolder.appending(path: text).path, nil, "the caption has no picture"))
        }
      }
    }
    return pictures.map { name in
      let stem = (name as NSString).deletingPathExtension
      var caption = fallback
      let text = textFolder.appending(path: stem + captionExtension)
      if readsCaptions, texts.contains(stem + captionExtension) {
        caption = Self.firstLine(text, &problems) ?? fallback
      }
      let mask = masks?.appending(path: stem + ".png")
      if let mask, !FileManager.default.fileExists(atPath: mask.path) {
        problems.append(
          FormatError(
            mask.path, nil, "the mask of '\(images.appending(path: name).path)' is missing"))
      }
      let exists = mask.map { FileManager.default.fileExists(atPath: $0.path) } ?? false
      return TrainingImage(
        image: images.appending(path: name), caption: process(caption),
        mask: exists ? mask : nil, transforms: transforms)
    }
  }

  /// What to say when no picture has a caption though there are texts: their extension is another one.
  package var passedOverCaptions: String? {
    guard readsCaptions else { return nil }
    func names(_ folder: URL) -> [String] {
      // A folder that is missing is `list`'s to report.
      (try? FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()) ?? []
    }
    let folder = captions ?? images
    let texts = names(folder).filter { !$0.hasPrefix(".") }
    if texts.contains(where: { $0.hasSuffix(captionExtension) }) { return nil }
    func isText(_ name: String) -> Bool {
      ["txt", "caption", "cap", "tags"].contains((name as NSString).pathExtension.lowercased())
    }
    func stem(_ name: String) -> String { (name as NSString).deletingPathExtension }
    let pictures = Set(names(images).filter { !isText($0) }.map(stem))
    let others = texts.filter { isText($0) && pictures.contains(stem($0)) }
    guard let first = others.first else { return nil }
    return "\(folder.path): no caption '*\(captionExtension)' was found, but \(others.count) such as "
      + "'\(first)'; all pictures are called by the same words instead"
  }

  /// The plain files of a folder by name, hidden ones left out; nil with a problem when it is none.
  static func files(_ folder: URL, _ problems: inout [FormatError]) -> [String]? {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder)
      problems.append(
        FormatError(
          folder.path, nil,
          !exists
            ? "there is no such folder"
            : isFolder.boolValue ? "the folder cannot be read" : "expected a folder, found a file"))
      return nil
    }
    return names.filter { name in
      var isFolder: ObjCBool = false
      let path = folder.appending(path: name).path
      return !name.hasPrefix(".")
        && FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        && !isFolder.boolValue
    }.sorted()
  }

  private static func firstLine(_ url: URL, _ problems: inout [FormatError]) -> String? {
    guard let data = try? Data(contentsOf: url), let text = String(bytes: data, encoding: .utf8)
    else {
      problems.append(FormatError(url.path, nil, "the caption is not UTF-8 text"))
      return nil
    }
    guard let line = text.textLines.first, line.contains(where: { !$0.isWhitespace }) else {
      problems.append(FormatError(url.path, nil, "the first line of the caption is empty"))
      return nil
    }
    return String(line)
  }
}

/// Words of captions that stand for others.
///
/// Replaces in the order of the pairs, cuts blanks at the ends and folds runs of spaces. Source:
/// Mix-of-Show, `LoraDataset.process_text`.
package struct CaptionMapping: Hashable, Sendable {
  package var pairs: [Pair]

  /// A text and what takes its place.
  package struct Pair: Hashable, Sendable {
    package var from: String
    package var to: String
  }

  package init(_ pairs: [(key: String, value: String)] = []) {
    self.pairs = pairs.map { Pair(from: $0.key, to: $0.value) }
  }

  /// The caption after replacement.
  package func callAsFunction(_ caption: String) -> String {
    let replaced = pairs.reduce(caption) { text, pair in
      pair.from.isEmpty ? text : text.replacingOccurrences(of: pair.from, with: pair.to)
    }
    return replaced.trimmingCharacters(in: .whitespacesAndNewlines)
      .split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
  }
}
