import Foundation
import MoscFormats

/// A dataset from a folder and a few words: `mosc train --data DIR --concept '<a1> <a2>' --init
/// cat`.
package struct FolderSetup: Hashable, Sendable {
  /// Pictures, or subfolders named `10_class`.
  package var folder: URL
  /// The words to teach, such as `<a1> <a2>`.
  package var concept: String
  /// What they start from, such as `<rand-0.013>+cat` or `cat`; nil for random numbers.
  package var start: String?
  /// The captions; nil for texts beside the pictures.
  package var captions: URL?
  package var masks: URL?
  package var size = 512
  package var templates = CaptionTemplates.object
  package var maskReduction = MaskReduction.bilinear

  package init(folder: URL, concept: String, start: String? = nil) {
    self.folder = folder
    self.concept = concept
    self.start = start
  }

  /// Lists the pictures and reads the words.
  ///
  /// A caption is used where there is one; `<TOK>` in it stands for the concept, and where it names
  /// none of the words, they come first. Pictures without caption get random sentences. Pictures are
  /// cut to a square, nothing is drawn at random. A single start belongs to the last word, the others are
  /// random.
  /// - Throws: `DatasetError` with all problems.
  package func read() throws(DatasetError) -> TrainingSetup {
    var setup = TrainingSetup()
    var problems: [FormatError] = []
    setup.dataset.maskReduction = maskReduction
    let standard = DataTransform.plain(size: size, templates: templates)
    setup.dataset.transforms = [standard, standard.filter { $0 != .enhanceText(templates) }]
    do {
      setup.model.words = try TrainedWord.parse(
        words: concept, starts: Self.completeStart(start, words: concept), path: "--concept")
    } catch {
      problems.append(error)
    }
    let process = ConceptCaption(setup.model.words)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path))?.sorted() ?? []
    let repeated = names.filter { name in
      var isFolder: ObjCBool = false
      let path = folder.appending(path: name).path
      return KohyaConfig.repeats(name) != nil
        && FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        && isFolder.boolValue
    }
    let others = names.filter { !repeated.contains($0) && !$0.hasPrefix(".") }
    if !repeated.isEmpty, !others.isEmpty {
      setup.notes.append(
        "\(folder.path): '\(others.joined(separator: "', '"))' beside folders named 'N_class'")
    }
    for name in repeated {
      let images = ImageFolder(
        images: folder.appending(path: name), captions: captions, masks: masks, fallback: "")
      let (count, thing) = KohyaConfig.repeats(name) ?? (1, name)
      setup.addClass(thing)
      setup.warn(images.passedOverCaptions)
      setup.dataset.images += images.list(&problems, process: process.callAsFunction)
        .flatMap { [TrainingImage](repeating: $0, count: count) }
    }
    if repeated.isEmpty {
      let images = ImageFolder(images: folder, captions: captions, masks: masks, fallback: "")
      setup.dataset.images = images.list(&problems, process: process.callAsFunction)
      setup.warn(images.passedOverCaptions)
    }
    for index in setup.dataset.images.indices
    where setup.dataset.images[index].caption != process.words {
      setup.dataset.images[index].transforms = 1
    }
    guard problems.isEmpty else { throw DatasetError(problems) }
    return setup
  }

  /// Starts for all words, where only the one of the class is said.
  static func completeStart(_ start: String?, words: String) -> String? {
    guard let start, !start.contains("+"), !start.isEmpty else { return start }
    let count = words.split { $0 == "+" || $0.isWhitespace }.count
    guard count > 1, !start.contains(where: \.isWhitespace) else { return start }
    // Mix-of-Show's own starts: a small random vector beside the class.
    return ([String](repeating: "<rand-0.013>", count: count - 1) + [start])
      .joined(separator: "+")
  }
}

/// Captions as a concept needs them: `<TOK>` stands for its words, and where a caption names none of
/// them, they come first.
struct ConceptCaption {
  /// The words as captions spell them.
  let words: String
  private let texts: [String]
  private let mapping: CaptionMapping

  init(_ words: [TrainedWord]) {
    texts = words.map(\.text)
    self.words = texts.joined(separator: " ")
    mapping = CaptionMapping([(ConceptPlaceholder.text, self.words)])
  }

  func callAsFunction(_ caption: String) -> String {
    let text = mapping(caption)
    if texts.contains(where: text.contains) { return text }
    return text.isEmpty ? words : "\(words), \(text)"
  }
}

extension TrainingSetup {
  /// Makes captions that were written for another trainer name the words.
  mutating func captionsNameTheWords() {
    let process = ConceptCaption(model.words)
    for index in dataset.images.indices {
      dataset.images[index].caption = process(dataset.images[index].caption)
    }
  }

  /// Notes what some of the pictures show.
  mutating func addClass(_ text: String) {
    let text = text.trimmingCharacters(in: .whitespaces).lowercased()
    if !text.isEmpty { classes.insert(text) }
  }
}
