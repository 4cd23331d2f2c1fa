import Foundation
import MoscFormats
import MoscModel

/// What a caption says of which part of its picture.
///
/// A file `STEM.json` beside a picture, such as
///
///     {"objects": [{"phrase": "a cat on the left", "box": [0.05, 0.3, 0.45, 0.7],
///                   "prompts": ["a cat, on grass"]}], "scene": "on grass"}
///
/// where the box has the left, top, right and bottom edge in shares of the picture, and the phrase stands
/// in the caption as it is. Prompts say what could be asked for in a region around the object, and the scene what the
/// caption says but for objects; only pictures that are trained on with regions need them.
package struct PictureLayout: Sendable {
  /// A phrase and its place.
  package struct Object: Sendable {
    /// The places of the phrase's tokens among the caption's.
    var tokens: Range<Int>
    /// Left, top, right, bottom in 0…1.
    var box: [Double]
    /// What could be asked for in a region around it.
    var prompts: [String]
  }

  /// The objects that the training step tells apart.
  static let count = LayoutLoss.objects

  let objects: [Object]
  /// What the caption says but for objects.
  let scene: String?

  /// Reads the layout of a picture.
  ///
  /// - Parameters:
  ///   - caption: the tokens of the picture's caption.
  ///   - encode: the tokens of a phrase between start and end.
  package init(_ url: URL, caption: [Int32], encode: (String) -> [Int32]) throws(FormatError) {
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
      let prompts = entry["prompts"]?.array?.compactMap(\.string) ?? []
      objects.append(Object(tokens: first..<first + words.count, box: box, prompts: prompts))
    }
    (self.objects, scene) = (objects, file["scene"]?.string)
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

extension PictureLayout {
  /// Reads the file beside every picture.
  ///
  /// - Parameters:
  ///   - captions: the tokens of every picture's caption.
  ///   - hasRegions: whether prompts and scenes are needed.
  /// - Throws: `DatasetError` with all problems.
  static func read(
    _ set: PictureSet, _ tokenizer: CLIPTokenizer, captions: [[Int32]], hasRegions: Bool
  ) throws -> [PictureLayout] {
    var problems: [FormatError] = []
    var pictures: [PictureLayout] = []
    for (image, caption) in zip(set.images, captions) {
      let url = image.image.deletingPathExtension().appendingPathExtension("json")
      do throws(FormatError) {
        let layout = try PictureLayout(url, caption: caption) { tokenizer.tokens($0) }
        if hasRegions, layout.scene == nil || layout.objects.contains(where: \.prompts.isEmpty) {
          throw FormatError(
            url.path, nil, "expected 'prompts' of every object and the 'scene', which --region-share draws from")
        }
        pictures.append(layout)
      } catch {
        problems.append(error)
      }
    }
    guard problems.isEmpty else { throw DatasetError(problems) }
    return pictures
  }
}

/// What steps are told of the places of phrases.
struct LayoutInputs {
  let pictures: [PictureLayout]
  let weight: Float
  let config: UNetConfig

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
