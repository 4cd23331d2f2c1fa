import Foundation
import MoscIR

/// One training step of a CLIP model as a function: both towers together.
///
/// Function `@contrastive_step`, with b pictures and m = b·(1 + w) captions, of which the first b belong to
/// the pictures and the rest to nothing; I and T are the features at unit length:
///
///     s     = exp(min(logit_scale, ln 100))
///     S_ij  = s·⟨I_i, T_j⟩ + excluded_ij
///     loss  = ½·⟨log Σ_{j<m} exp S_ij − S_ii⟩ + ½·⟨log Σ_{j<b} exp S_ji − S_ii⟩
///
/// where ⟨·⟩ is the mean over i. `excluded` is 0, or far below 0 for a caption that another picture shares:
/// it is no mistake to take it. Captions that are wrong about a single thing make the towers tell apart who
/// is where, which captions of other pictures do not.
///
/// - Parameters of the function: `image` `f32[b,H,W,3]`; `input_ids` `i32[m,t]`, `ends` `i32[m]`; `excluded`
///   `f32[b,m]`; every weight of both towers and `logit_scale` `f32[1]`.
/// - Results: `loss` `f32[1]`, `missed` `f32[b]`, which is the probability of all captions but the own, and
///   `grad.NAME` for every weight.
/// - Source: Radford et al. 2021, figure 3 and §2.5; for the wrong captions Yuksekgonul et al. 2023, §4.
package struct ContrastiveStep: Hashable, Sendable {
  /// Pictures b.
  package var batch: Int
  /// Wrong captions per picture w.
  package var wrong: Int

  package init(batch: Int, wrong: Int = 0) {
    (self.batch, self.wrong) = (batch, wrong)
  }

  /// The name of the function.
  package static let name = "contrastive_step"
  /// What `excluded` is for a caption that counts as none.
  package static let exclusion: Float = -1e4
  /// The largest factor of cosines: beyond it, training is unstable.
  package static let largestScale = 100.0

  /// Captions m.
  package var captions: Int { batch * (1 + wrong) }

  /// The IR of the step, its gradients requested.
  func graph(
    _ config: CLIPConfig, _ weights: inout NetworkWeights
  ) throws(Diagnostic) -> Graph {
    var b = ModelBuilder(Self.name, weights)
    let side = config.vision.side
    let image = b.graph.parameter("image", .f32(batch, side, side, config.vision.channels))
    let pictures = try b.graph.unitRows(try CLIPVision(config).features(image, in: &b))
    let texts = try b.graph.unitRows(try CLIPText(config).features(batch: captions, in: &b))
    weights = b.weights
    let logarithm = weights.hooks.trainedInput(
      CLIPModelFolder.logitScale, .f32(1), in: &b.graph)
    var g = b.graph
    let excluded = g.parameter("excluded", .f32(batch, captions))

    let limit = try g.constant(log(Self.largestScale), .f32(1))
    let scale = try g.reshape(try g.exp(try g.minimum(logarithm, limit)), to: [1, 1])
    let cosines = try g.linear(pictures, weight: texts, name: "cosines")
    let scores = try g.add(try g.mul(cosines, scale), excluded, name: "scores")
    let own = try g.slice(texts, axis: 0, from: 0, to: batch)
    let matched = try g.mul(
      try g.reduceSum(try g.mul(pictures, own), axes: [1]), scale, name: "matched")
    let captions = try g.sub(try g.logSumExp(scores, axis: 1), matched)
    let back = try g.logSumExp(try g.slice(scores, axis: 1, from: 0, to: batch), axis: 0)
    let images = try g.sub(try g.reshape(back, to: [batch, 1]), matched)
    let sum = try g.reduceSum(try g.add(captions, images), axes: [0, 1])
    let loss = try g.mul(
      try g.reshape(sum, to: [1]), try g.constant(0.5 / Double(batch), .f32(1)))
    let one = try g.constant(1, .f32(1, 1))
    let shares = try g.sub(one, try g.exp(try g.neg(captions)))
    let missed = try g.reshape(shares, to: [batch])
    return try g.withGradients(
      of: loss, weights.hooks.trainedInputs,
      results: [("loss", loss), ("missed", missed)])
  }
}

extension Graph {
  /// `x / ‖x‖` over the rows of `[n,c]`.
  fileprivate mutating func unitRows(_ x: ValueID) throws(Diagnostic) -> ValueID {
    let square = try reduceSum(try mul(x, x), axes: [1])
    // A row of zeros stays one.
    return try mul(x, try rsqrt(try add(square, try constant(1e-12, .f32(1, 1)))))
  }

  /// `log Σ exp x` over an axis of `[n,m]`, which keeps extent 1.
  fileprivate mutating func logSumExp(_ x: ValueID, axis: Int) throws(Diagnostic) -> ValueID {
    let largest = try reduceMax(x, axes: [axis])
    let sum = try reduceSum(try exp(try sub(x, largest)), axes: [axis])
    return try add(try log(sum), largest)
  }
}

extension CLIPModelFolder {
  /// The step that trains both towers.
  ///
  /// - Throws: `FormatError` for files, `Diagnostic` for tensors that do not fit.
  package func trainingModule(_ step: ContrastiveStep) throws -> TrainingModule {
    var weights = NetworkWeights(try weights().table)
    weights.hooks.trained = .weights
    let graph = try step.graph(config, &weights)
    return TrainingModule(graph, weights.hooks.trainedInputs)
  }

  /// What a tensor of an untrained model is filled with. Source: transformers
  /// `CLIPPreTrainedModel._init_weights`.
  package func filling(_ name: String) -> WeightInitialisation.Filling {
    if name == Self.logitScale { return .constant(log(1 / 0.07)) }
    let isText = name.hasPrefix("text_")
    let (width, layers) =
      isText
      ? (config.text.width, config.text.layers) : (config.vision.width, config.vision.layers)
    if name.hasSuffix("projection.weight") || name.hasSuffix("class_embedding") {
      return .normal(deviation: 1 / Double(width).squareRoot())
    }
    return WeightInitialisation.clip(name, width: width, layers: layers)
  }
}
