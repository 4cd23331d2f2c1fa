import Foundation
import MoscDiffusion
import MoscImages
import MoscReport

/// How much the picture inside of each region looks like each concept.
package struct ConceptMatrix: Sendable {
  /// The concepts, which are those of the regions in their order.
  package var names: [String]
  /// A row for each region: the mean cosine with the references of each concept.
  package var rows: [[Double]]
  /// The share of crops that look most like the concept of their region.
  package var diagonal: Double

  /// Cuts the regions out of pictures and compares them.
  ///
  /// - Throws: a usage error unless there is a region with a box or mask for each concept.
  init(
    _ pictures: [PixelImage], _ regions: [Region], _ concepts: [(name: String, references: References)],
    _ judge: Judge
  ) throws {
    guard regions.count == concepts.count else {
      throw CommandError.usage(
        "\(concepts.count) --concept for \(regions.count) regions; each region shows one of them")
    }
    names = concepts.map(\.name)
    var hits = 0
    var rows: [[Double]] = []
    for (number, region) in regions.enumerated() {
      let crops = try pictures.map { try $0.part(of: region) }
      let scores = try judge.features(of: crops).map { crop in
        concepts.map { crop.cosine(with: $0.references.features) }
      }
      hits += scores.count { row in row.indices.allSatisfy { $0 == number || row[$0] < row[number] } }
      rows.append(
        concepts.indices.map { column in
          scores.reduce(0) { $0 + $1[column] } / Double(max(1, scores.count))
        })
    }
    self.rows = rows
    diagonal = Double(hits) / Double(max(1, pictures.count * regions.count))
  }
}

extension PixelImage {
  /// The smallest rectangle around a region.
  fileprivate func part(of region: Region) throws -> PixelImage {
    var box = region.box ?? .full
    if region.box == nil, let mask = region.mask {
      let inside = mask.values.indices.filter { mask.values[$0] > 0.5 }
      let (xs, ys) = (inside.map { $0 % mask.width }, inside.map { $0 / mask.width })
      guard let left = xs.min(), let right = xs.max(), let top = ys.min(), let bottom = ys.max() else {
        throw CommandError.failure("the mask of \(region.name) is empty")
      }
      box = RegionBox(
        left: Double(left) / Double(mask.width), top: Double(top) / Double(mask.height),
        right: Double(right + 1) / Double(mask.width), bottom: Double(bottom + 1) / Double(mask.height))
    }
    return part(in: box)
  }
}
