import Foundation

/// What was measured of one set of pictures.
package struct Evaluation: Sendable {
  /// A measured number.
  package struct Value: Sendable {
    package var name: String
    package var estimate: Estimate
    /// The number as Mix-of-Show's code computes it.
    package var paper: Double?
    /// The number over that of the model without the concept.
    package var relative: Double?
  }

  /// What the pictures are of: the candidate, or the folder.
  package var name: String
  package var count: Int
  package var values: [Value] = []
  /// Text and image alignment by group of prompts.
  package var groups: [(title: String, values: [Value])] = []
  /// The mean cosine of the crop of each region with each concept.
  package var matrix: ConceptMatrix?

  package init(name: String, count: Int) { (self.name, self.count) = (name, count) }

  /// A value by name.
  package subscript(name: String) -> Value? { values.first { $0.name == name } }

  /// Adds a number that was measured; nil is left out.
  package mutating func add(
    _ name: String, _ estimate: Estimate?, paper: Double? = nil, relative: Double? = nil
  ) {
    guard let estimate else { return }
    values.append(Value(name: name, estimate: estimate, paper: paper, relative: relative))
  }
}

/// Measures pictures with a judge.
///
/// With cos the cosine of two features and ⟨·⟩ the mean over pictures:
///
///     text_alignment   = ⟨cos(picture, "A photo depicts " + caption)⟩,  paper: ⟨2.5·max(cos, 0)⟩
///     image_alignment  = ⟨mean over references of cos⟩;  …_first: the first reference alone, paper: ⟨max(cos, 0)⟩;
///                        …_masked: references with the concept alone
///     copying          = share of pictures nearer to a reference than 99 % of references to their nearest other
///     diversity        = 1 − mean cos of two pictures of one prompt
///     retrieval        = share whose own caption is nearest among all
///     prefers.KIND     = share that is nearer to its caption than to the wrong one
///     places           = share whose parts are all nearer to their captions than to the wrong ones
///
/// Intervals are over prompts. Source: Mix-of-Show's research branch, evaluation_scripts (Gu et al. 2023, §4.2).
struct Measurement {
  let judge: Judge
  let references: References?
  let bootstrap: Bootstrap
  /// The text alignment of the model without the concept.
  var baseText: Double?

  func callAsFunction(_ pictures: [JudgedPicture], name: String) throws -> Evaluation {
    var result = Evaluation(name: name, count: pictures.count)
    let seen = try judge.features(of: pictures.map(\.image))
    let texts = try judge.features(of: pictures.map { Caption.described($0.caption) })
    result.values = alignments(pictures, seen, texts)
    if let references {
      if let ceiling = references.ceiling {
        result.add("reference_ceiling", Estimate(mean: ceiling, low: ceiling, high: ceiling))
      }
      if let threshold = references.copyThreshold {
        result.add(
          "copying",
          estimate(pictures) { index in
            references.features.contains { seen[index].cosine($0) > threshold } ? 1 : 0
          })
      }
    }
    result.add("diversity", diversity(pictures, seen))
    try addChoices(to: &result, pictures, seen)
    let titles = pictures.map(\.group).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    if titles.count > 1 {
      result.groups = titles.map { title in
        let own = pictures.indices.filter { pictures[$0].group == title }
        return (title, alignments(own.map { pictures[$0] }, own.map { seen[$0] }, own.map { texts[$0] }))
      }
    }
    return result
  }

  /// The mean similarity of pictures to the references, for `leak`.
  func similarity(_ pictures: [JudgedPicture]) throws -> [Double] {
    guard let references else { return [] }
    return try judge.features(of: pictures.map(\.image)).map { $0.cosine(with: references.features) }
  }

  private func alignments(
    _ pictures: [JudgedPicture], _ seen: [Feature], _ texts: [Feature]
  ) -> [Evaluation.Value] {
    var result = Evaluation(name: "", count: pictures.count)
    let count = Double(max(1, pictures.count))
    let text = estimate(pictures) { seen[$0].cosine(texts[$0]) }
    result.add(
      "text_alignment", text,
      paper: pictures.indices.reduce(0) { $0 + 2.5 * max(0, seen[$1].cosine(texts[$1])) } / count,
      relative: baseText.flatMap { base in text.flatMap { base > 0 ? $0.mean / base : nil } })
    guard let references, let first = references.features.first else { return result.values }
    result.add(
      "image_alignment", estimate(pictures) { seen[$0].cosine(with: references.features) })
    result.add(
      "image_alignment_first", estimate(pictures) { seen[$0].cosine(first) },
      paper: seen.reduce(0) { $0 + max(0, $1.cosine(first)) } / count)
    if let masked = references.masked {
      result.add("image_alignment_masked", estimate(pictures) { seen[$0].cosine(with: masked) })
    }
    return result.values
  }

  private func diversity(_ pictures: [JudgedPicture], _ seen: [Feature]) -> Estimate? {
    let prompts = Dictionary(grouping: pictures.indices) { pictures[$0].caption }
    var values: [(String, Double)] = []
    for (caption, own) in prompts {
      for (number, a) in own.enumerated() {
        for b in own.dropFirst(number + 1) { values.append((caption, 1 - seen[a].cosine(seen[b]))) }
      }
    }
    return bootstrap.estimate(values.map { (unit: $0.0, value: $0.1) })
  }

  /// Whether pictures are told by their captions.
  private func addChoices(
    to result: inout Evaluation, _ pictures: [JudgedPicture], _ seen: [Feature]
  ) throws {
    let captions = Set(pictures.map(\.caption)).sorted()
    let read = try judge.features(of: captions)
    let own = Dictionary(zip(captions, read), uniquingKeysWith: { first, _ in first })
    func nearness(_ index: Int) -> Double {
      own[pictures[index].caption].map { seen[index].cosine($0) } ?? -1
    }
    if captions.count > 1 {
      result.add(
        "retrieval",
        estimate(pictures) { index in
          let best = nearness(index)
          return read.contains { seen[index].cosine($0) > best } ? 0 : 1
        })
    }
    var kinds: [String] = []
    for kind in pictures.flatMap({ $0.wrong.map(\.kind) }) where !kinds.contains(kind) { kinds.append(kind) }
    for kind in kinds {
      var values: [(unit: String, value: Double)] = []
      for (index, picture) in pictures.enumerated() {
        guard let wrong = picture.wrong.first(where: { $0.kind == kind })?.text else { continue }
        let other = try judge.features(of: [wrong])[0]
        values.append((picture.caption, nearness(index) > seen[index].cosine(other) ? 1 : 0))
      }
      result.add("prefers.\(kind)", bootstrap.estimate(values))
    }
    let parted = pictures.filter { !$0.parts.isEmpty }
    if !parted.isEmpty { result.add("places", bootstrap.estimate(try parted.map { ($0.caption, try places($0)) })) }
  }

  /// 1 if every part of a picture shows what it is to show, else 0.
  private func places(_ picture: JudgedPicture) throws -> Double {
    let seen = try judge.features(of: picture.parts.map { picture.image.part(in: $0.box).squared })
    let right = try judge.features(of: picture.parts.map(\.caption))
    let wrong = try judge.features(of: picture.parts.map(\.wrong))
    return seen.indices.allSatisfy { seen[$0].cosine(right[$0]) > seen[$0].cosine(wrong[$0]) } ? 1 : 0
  }

  private func estimate(_ pictures: [JudgedPicture], _ value: (Int) -> Double) -> Estimate? {
    bootstrap.estimate(pictures.indices.map { (pictures[$0].caption, value($0)) })
  }
}
