import MoscIR

/// How much the pixels of an object look at the words of another one.
///
///     loss = w · mean over R, b of Σ_k ½·Σ_p area_k[p]·(1 − A_k[p] / (A_1[p] + A_2[p]))
///
/// over the resolutions R of cross-attention: A_k is the attention of pixel p to all tokens of object k's
/// phrase, the mean over layers and heads; area_k is 1 over the number of pixels in its box there, zero
/// elsewhere. Only the ratio counts, so that the network stays free in how much it looks at other words.
///
/// Without it, a small network learns late or never which words belong where: the noise hides what a caption
/// says of places in all but the first steps, which weigh little in the loss of noise prediction.
///
/// - Parameters of the function: `phrase_positions` `f32[b,t,2]` of zeros and ones, `phrase_area.HxW`
///   `f32[b,H·W,2]`, `layout_weight` `f32[1]`.
package enum LayoutLoss {
  /// The objects of a picture that are told apart.
  package static let objects = 2

  /// The name of the areas at a resolution.
  package static func areaName(_ height: Int, _ width: Int) -> String { "phrase_area.\(height)x\(width)" }

  /// Appends the loss `[1]` before its weight, and with it.
  static func add(
    _ maps: AttentionMaps, batch: Int, tokens: Int, resolutions: [(height: Int, width: Int)],
    in g: inout Graph
  ) throws(Diagnostic) -> (share: ValueID, loss: ValueID) {
    let positions = g.parameter("phrase_positions", .f32(batch, tokens, objects))
    let weight = g.parameter("layout_weight", .f32(1))
    var sum = try g.constant(0, .f32(1))
    var count = 0
    for (height, width) in resolutions {
      guard let map = try maps.mean(height * width, in: &g) else { continue }
      let area = g.parameter(areaName(height, width), .f32(batch, height * width, objects))
      sum = try g.add(sum, try astray(try g.matmul(map, positions), area, in: &g))
      count += 1
    }
    let scale = 1 / Double(max(1, count) * batch * objects)
    let share = try g.mul(sum, try g.constant(scale, .f32(1)))
    return (share, try g.mul(share, weight))
  }

  /// `Σ area_k·(1 − A_k / (A_1 + A_2))` over everything, `[1]`: pictures without areas add nothing.
  ///
  /// - Parameters:
  ///   - attention: A, `[b,H·W,2]`.
  ///   - area: `[b,H·W,2]`.
  package static func astray(
    _ attention: ValueID, _ area: ValueID, in g: inout Graph
  ) throws(Diagnostic) -> ValueID {
    // Below this, nobody looks at either phrase and the ratio says nothing.
    let least = try g.constant(1e-6, .f32(1, 1, 1))
    let right = try g.div(attention, try g.add(try g.reduceSum(attention, axes: [2]), least))
    let wrong = try g.sub(area, try g.mul(area, right))
    return try g.reshape(try g.reduceSum(wrong, axes: [0, 1, 2]), to: [1])
  }
}
