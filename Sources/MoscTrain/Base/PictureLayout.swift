import Foundation
import MoscFormats
import MoscModel

/// What a caption says of which part of its picture.
///
/// A file `STEM.json` beside a picture, such as
///
///     {"objects": [{"phrase": "a cat on the left", "box": [0.05, 0.3, 0.45, 0.7]}]}
///
/// where the box has the left, top, right and bottom edge in shares of the picture, and the phrase stands
/// in the caption as it is.
struct PictureLayout: Sendable {
  /// A phrase and its place.
  struct Object: Sendable {
    /// The places of the phrase's tokens among the caption's.
    var tokens: Range<Int>
    /// Left, top, right, bottom in 0…1.
    var box: [Double]
  }

  /// The objects that the training step tells apart.
  static let count = LayoutLoss.objects

  let objects: [Object]

  /// Reads the layout of a picture.
  ///
  /// - Parameters:
  ///   - caption: the tokens of the picture's caption.
  ///   - encode: the tokens of a phrase between start and end.
  init(_ url: URL, caption: [Int32], encode: (String) -> [Int32]) throws(FormatError) {
    let file = try JSONObject(contentsOf: url)
    guard let list = file["objects"]?.array else {
      throw file.error("objects", "expected a list of objects with 'phrase' and 'box'")
    }
    var objects: [Object] = []
    for (number, entry) in list.enumerated() {
      let what = "objects[\(number)]"
      guard let phrase = entry["phrase"]?.string, let box = entry["box"]?.array?.compactMap(\.double),
        box.count == 4
      else { throw file.error(what, "expected 'phrase', a text, and 'box', four numbers") }
      guard box.allSatisfy((0...1).contains), box[0] < box[2], box[1] < box[3] else {
        throw file.error(what, "box \(box): expected left < right and top < bottom, from 0 to 1")
      }
      let words = encode(phrase)
      guard !words.isEmpty,
        let first = caption.indices.first(where: { caption[$0...].starts(with: words) })
      else { throw file.error(what, "'\(phrase)' does not stand in the caption") }
      objects.append(Object(tokens: first..<first + words.count, box: box))
    }
    self.objects = objects
  }

  /// Ones where a token is of an object's phrase, `[t,objects]`; zeros unless there are as many objects as
  /// are told apart.
  func positions(tokens: Int) -> [Float] {
    var positions = [Float](repeating: 0, count: tokens * Self.count)
    guard objects.count == Self.count else { return positions }
    for (index, object) in objects.enumerated() {
      for token in object.tokens where token < tokens { positions[token * Self.count + index] = 1 }
    }
    return positions
  }

  /// The share of each object's cells in one cell, `[h·w,objects]`: each object's cells, those whose centre
  /// lies in its box, sum to 1; zeros unless there are as many objects as are told apart.
  func areas(height: Int, width: Int) -> [Float] {
    var areas = [Float](repeating: 0, count: height * width * Self.count)
    guard objects.count == Self.count else { return areas }
    for (index, object) in objects.enumerated() {
      let cells = (0..<height * width).filter { cell in
        let x = (Double(cell % width) + 0.5) / Double(width)
        let y = (Double(cell / width) + 0.5) / Double(height)
        return object.box[0] <= x && x < object.box[2] && object.box[1] <= y && y < object.box[3]
      }
      for cell in cells { areas[cell * Self.count + index] = 1 / Float(cells.count) }
    }
    return areas
  }
}

/// The layouts of a run's pictures.
struct Layouts {
  private let pictures: [PictureLayout]
  private let weight: Float
  private let config: UNetConfig

  /// Reads the file beside every picture.
  ///
  /// - Throws: `DatasetError` with all problems.
  init(
    _ set: PictureSet, _ tokenizer: CLIPTokenizer, captions: [[Int32]], _ config: UNetConfig,
    _ weight: Double
  ) throws {
    var problems: [FormatError] = []
    var pictures: [PictureLayout] = []
    for (image, caption) in zip(set.images, captions) {
      let url = image.image.deletingPathExtension().appendingPathExtension("json")
      do throws(FormatError) {
        pictures.append(
          try PictureLayout(url, caption: caption) { tokenizer.tokens($0) })
      } catch {
        problems.append(error)
      }
    }
    guard problems.isEmpty else { throw DatasetError(problems) }
    self.pictures = pictures
    (self.weight, self.config) = (Float(weight), config)
  }

  /// The inputs of a step's layout loss.
  ///
  /// - Parameter batch: the pictures; nil for one whose caption is left out.
  func inputs(_ batch: [Int?], height: Int, width: Int, tokens: Int) -> [String: HostArray] {
    let count = PictureLayout.count
    func stacked(_ rows: Int, _ values: (PictureLayout) -> [Float]) -> HostArray {
      HostArray(
        batch.flatMap { $0.map { values(pictures[$0]) } ?? [Float](repeating: 0, count: rows * count) },
        shape: [batch.count, rows, count])
    }
    var inputs = [
      "layout_weight": HostArray([weight], shape: [1]),
      "phrase_positions": stacked(tokens) { $0.positions(tokens: tokens) },
    ]
    for (h, w) in config.attentionResolutions(height: height, width: width) {
      inputs[LayoutLoss.areaName(h, w)] = stacked(h * w) { $0.areas(height: h, width: w) }
    }
    return inputs
  }
}
