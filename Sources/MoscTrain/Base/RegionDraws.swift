import MoscDiffusion
import MoscFormats
import MoscModel
import MoscNetworks
import MoscRandom

/// The left and the right part of pictures, with prompts of their own, as `mosc sample` draws regions.
///
/// In a share of the steps, the two parts of all pictures of the batch are those of one draw: a cut near the
/// middle, a gap around it, and margins at the sides and above. A part listens to a prompt of the object it holds;
/// what is no part, and a part that holds none, listens to the caption or to what it says of the scene. A picture
/// whose objects do not lie in the parts listens to its caption everywhere, and so does every picture in other steps.
///
/// A network that never sees parts has learnt from captions of one thing that there is no second one, and leaves one of
/// two regions empty.
package struct RegionDraws {
  /// The parts of the pictures of a step.
  package struct Parts: Hashable, Sendable {
    package var left: RegionBox
    package var right: RegionBox
    /// Where they meet.
    package var cut: Double
  }

  /// The number of parts.
  package static let count = 2
  /// How far an object may reach over the cut, as a share of the width.
  private static let tolerance = 0.08

  private let pictures: [PictureLayout]
  private let captions: [[Int32]]
  private let empty: [Int32]
  private let share: Double
  private let config: UNetConfig
  private let random: RunSeed
  private let encode: (String) -> [Int32]

  /// - Parameters:
  ///   - captions: the tokens of every picture's caption.
  ///   - empty: the tokens of no caption.
  ///   - share: the share of steps with regions.
  ///   - encode: the tokens of a prompt.
  package init(
    _ pictures: [PictureLayout], captions: [[Int32]], empty: [Int32], share: Double, _ config: UNetConfig,
    _ random: RunSeed, encode: @escaping (String) -> [Int32]
  ) {
    (self.pictures, self.captions, self.empty, self.share) = (pictures, captions, empty, share)
    (self.config, self.random, self.encode) = (config, random, encode)
  }

  /// The parts of a step's pictures, and the cut between them; nil for a step without.
  package func parts(_ step: Int) -> Parts? {
    let draws = (0..<5).map { random.uniform(.region, step, $0) }
    if draws[0] >= share { return nil }
    let cut = 0.44 + 0.12 * draws[1]
    let (half, side, top) = (0.06 * draws[2], 0.08 * draws[3], 0.2 * draws[4])
    return Parts(
      left: RegionBox(left: side, top: top, right: cut - half, bottom: 1),
      right: RegionBox(left: cut + half, top: top, right: 1 - side, bottom: 1), cut: cut)
  }

  /// The prompts and the coverage of a batch.
  ///
  /// - Parameters:
  ///   - batch: the pictures; nil for one whose caption is left out.
  ///   - parts: those of the step.
  package func inputs(
    _ batch: [Int?], _ parts: Parts?, step: Int, height: Int, width: Int
  ) -> [String: HostArray] {
    var ids: [Int32] = []
    for (place, picture) in batch.enumerated() {
      let contexts =
        if let picture {
          parts.flatMap { prompts(picture, cut: $0.cut, step: step, place: place) }
            ?? [[Int32]](repeating: captions[picture], count: 1 + Self.count)
        } else {
          [[Int32]](repeating: empty, count: 1 + Self.count)
        }
      ids += contexts.joined()
    }
    var inputs = [
      "input_ids": HostArray(ids, shape: [batch.count * (1 + Self.count), empty.count])
    ]
    let regions = parts.map { parts in
      [parts.left, parts.right].map { box in
        var region = Region(name: "", prompt: "")
        region.box = box
        return region
      }
    }
    for (h, w) in config.attentionResolutions(height: height, width: width) {
      var shares = [Float](repeating: 1, count: h * w) + [Float](repeating: 0, count: Self.count * h * w)
      if let regions {
        shares =
          RegionCoverage(
            regions, active: [true, true], height: h, width: w, pictureWidth: w, rounding: .centre
          ).shares
      }
      inputs[UNet.coverageName(h, w)] = HostArray(shares, shape: [1 + Self.count, h * w])
    }
    return inputs
  }

  /// The tokens of a picture's own prompt, and of its left and right part; nil if its objects do not lie in the parts.
  private func prompts(_ picture: Int, cut: Double, step: Int, place: Int) -> [[Int32]]? {
    func draw(_ number: Int) -> Double { random.uniform(.region, step, 8 + 4 * place + number) }
    let layout = pictures[picture]
    let left = layout.objects.filter { $0.box[2] <= cut + Self.tolerance && $0.box[0] + $0.box[2] < 2 * cut }
    let right = layout.objects.filter { $0.box[0] >= cut - Self.tolerance && $0.box[0] + $0.box[2] >= 2 * cut }
    guard left.count <= 1, right.count <= 1, left.count + right.count == layout.objects.count,
      !layout.objects.isEmpty, let scene = layout.scene
    else { return nil }
    let whole = draw(0) < 0.5 ? captions[picture] : encode(scene)
    let parts = [left, right].enumerated().map { number, objects in
      objects.first.map { object in
        encode(object.prompts[Int(draw(1 + number) * Double(object.prompts.count))])
      } ?? whole
    }
    return [whole] + parts
  }
}
