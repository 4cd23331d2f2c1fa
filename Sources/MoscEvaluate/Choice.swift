import Foundation

/// Which of several checkpoints or strengths to take.
package struct Choice: Sendable {
  /// The place of the chosen one, and the score of each: the harmonic mean of the text alignment over that of
  /// the model without the concept and the image alignment over the references' ceiling.
  package var best: Int
  package var scores: [Estimate]
  /// What speaks for having trained too long; nil where nothing does.
  package var hint: String?

  /// The earliest candidate whose score lies within the interval of the highest.
  ///
  /// The interval of a score is that of its parts at their low and high ends.
  ///
  /// - Returns: nil without image alignments, text alignments relative to the base, or a ceiling.
  package init?(_ evaluations: [Evaluation], ceiling: Double?) {
    guard let ceiling, ceiling > 0 else { return nil }
    scores = evaluations.compactMap { evaluation in
      guard let text = evaluation["text_alignment"], let relative = text.relative,
        let image = evaluation["image_alignment"]?.estimate, text.estimate.mean > 0
      else { return nil }
      let base = text.estimate.mean / relative
      func score(_ end: KeyPath<Estimate, Double>) -> Double {
        Self.harmonicMean(text.estimate[keyPath: end] / base, image[keyPath: end] / ceiling)
      }
      return Estimate(mean: score(\.mean), low: score(\.low), high: score(\.high))
    }
    guard scores.count == evaluations.count, let highest = scores.max(by: { $0.mean < $1.mean }) else {
      return nil
    }
    best = scores.firstIndex { $0.mean >= highest.low } ?? 0
    for (before, after) in zip(evaluations, evaluations.dropFirst()) where hint == nil {
      guard let copies = (before["copying"]?.estimate.mean).flatMap({ old in
        (after["copying"]?.estimate.mean).map { (old, $0) }
      }), let texts = (before["text_alignment"]?.estimate.mean).flatMap({ old in
        (after["text_alignment"]?.estimate.mean).map { (old, $0) }
      }) else { continue }
      if copies.1 > copies.0, texts.1 < texts.0 {
        hint = "from '\(before.name)' to '\(after.name)' pictures come nearer to single references and "
          + "follow their prompts less: a sign of overfitting"
      }
    }
  }

  /// `2ab/(a + b)`, 0 unless both are above 0.
  package static func harmonicMean(_ a: Double, _ b: Double) -> Double {
    a > 0 && b > 0 ? 2 * a * b / (a + b) : 0
  }
}
