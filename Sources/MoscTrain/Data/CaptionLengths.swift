import FoundationEssentials
import MoscFormats

/// Which captions are too long for the text encoder, and whether the concept's words are still in the part
/// that it reads.
package struct CaptionLengths: Sendable {
  /// Captions whose words are cut off.
  package private(set) var problems: [FormatError] = []
  /// One sentence about captions whose ends are cut off.
  package private(set) var warning: String?

  package init(_ dataset: Dataset, words: [String], _ tokenizer: CLIPTokenizer) {
    var tokenizer = tokenizer
    let ids = words.indices.map { tokenizer.nextID + Int32($0) }
    // Of a word that begins as another the longer one is found.
    for (word, id) in zip(words, ids) { tokenizer.add(word, id: id) }
    var cut: [(image: TrainingImage, count: Int)] = []
    var seen: Set<TrainingImage> = []
    for image in dataset.images where seen.insert(image).inserted {
      let encoding = tokenizer.encode(image.caption)
      guard encoding.isTruncated else { continue }
      let lost = zip(words, ids).filter { image.caption.contains($0) && !encoding.ids.contains($1) }
      guard lost.isEmpty else {
        problems.append(
          FormatError(
            image.image.path, "caption '\(image.caption.prefix(40))…'",
            "has \(encoding.tokenCount) tokens, the model reads \(tokenizer.maximumLength); "
              + "\(lost.map(\.0).joined(separator: ", ")) would be cut off: put the words first"))
        continue
      }
      cut.append((image, encoding.tokenCount))
    }
    if let first = cut.first {
      warning = "\(cut.count) captions have more than the \(tokenizer.maximumLength) tokens that the model "
        + "reads, and their ends are not learnt; the first is that of '\(first.image.image.path)' with "
        + "\(first.count)"
    }
  }
}
