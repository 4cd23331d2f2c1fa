import Foundation
import MoscRandom

extension DataTransform {
  /// `ShuffleCaption`: parts between commas change places, but for the first few.
  static func shuffled(
    _ caption: String, keeping count: Int, _ random: inout PythonRandom
  ) -> String {
    let parts = caption.split(separator: ",", omittingEmptySubsequences: false)
      .map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    var rest = Array(parts.dropFirst(max(0, count)))
    random.shuffle(&rest)
    return (parts.prefix(max(0, count)) + rest).joined(separator: ", ")
  }

  /// `EnhanceText`: puts the caption into a random sentence.
  static func enhanced(
    _ caption: String, _ templates: CaptionTemplates, _ random: inout PythonRandom
  ) -> String {
    let words = caption.trimmingCharacters(in: .whitespacesAndNewlines)
    return templates.applied(random.below(templates.count), to: words)
  }
}

/// Sentences around a concept.
///
/// The lists are those of textual inversion for objects and styles, and a selection of the first
/// for people; order and repetitions count, for they decide what a draw means. Source: Gal et al.
/// 2022; Mix-of-Show.
package enum CaptionTemplates: String, CaseIterable, Hashable, Sendable {
  case object
  case style
  case human

  /// The number of sentences.
  package var count: Int { sentences.count }

  /// A sentence with the words in place.
  package func applied(_ index: Int, to words: String) -> String {
    let (before, after) = sentences[index]
    return before + words + after
  }

  private var sentences: [(String, String)] {
    switch self {
    case .object: Self.objects.map { ($0 + " ", "") }
    case .style: Self.styles.map { ("\($0) in the style of ", "") }
    case .human: Self.humans.map { ($0 + " ", "") }
    }
  }

  private static let objects = [
    "a photo of a", "a rendering of a", "a cropped photo of the", "the photo of a",
    "a photo of a clean", "a photo of a dirty", "a dark photo of the", "a photo of my",
    "a photo of the cool", "a close-up photo of a", "a bright photo of the",
    "a cropped photo of a", "a photo of the", "a good photo of the", "a photo of one",
    "a close-up photo of the", "a rendition of the", "a photo of the clean", "a rendition of a",
    "a photo of a nice", "a good photo of a", "a photo of the nice", "a photo of the small",
    "a photo of the weird", "a photo of the large", "a photo of a cool", "a photo of a small",
  ]

  private static let styles = [
    "a painting", "a rendering", "a cropped painting", "the painting", "a clean painting",
    "a dirty painting", "a dark painting", "a picture", "a cool painting", "a close-up painting",
    "a bright painting", "a cropped painting", "a good painting", "a close-up painting",
    "a rendition", "a nice painting", "a small painting", "a weird painting", "a large painting",
  ]

  private static let humans = [
    "a photo of a", "a photo of one", "a photo of the", "the photo of a", "a rendering of a",
    "a rendition of the", "a rendition of a", "a cropped photo of the", "a cropped photo of a",
    "a bad photo of the", "a bad photo of a", "a photo of a weird", "a weird photo of a",
    "a bright photo of the", "a good photo of the", "a photo of a nice", "a good photo of a",
    "a photo of a cool", "a bright photo of the",
  ]
}
