import MoscIR

/// What steps on noisy latents share: their inputs, and the loss of the prediction.
///
///     x_t    = signal·latents + level·noise
///     errors = mean over h, w, c of (prediction − target)²
///     loss   = Σ loss_weight·errors
///
/// with target = noise, or the velocity `signal·noise − level·latents`. Inputs: `latents`, `noise`
/// `f32[b,h,w,c]`; `signal`, `level` `f32[b,1,1,1]`; `timestep`, `loss_weight` `f32[b]`. Source: Ho et al. 2020,
/// eq. 14; Salimans & Ho 2022, §4.
package struct NoisingStep: Hashable, Sendable {
  package var batch: Int
  /// Height and width of the latents.
  package var height: Int
  package var width: Int
  /// Whether the network predicts the velocity rather than the noise.
  package var predictsVelocity: Bool

  package init(batch: Int, height: Int, width: Int, predictsVelocity: Bool = false) {
    (self.batch, self.height, self.width) = (batch, height, width)
    self.predictsVelocity = predictsVelocity
  }

  /// The inputs of a function, and what is made of them.
  struct Inputs {
    let noisy, target, timestep, weight: ValueID
  }

  /// Appends the inputs.
  func inputs(channels: Int, in g: inout Graph) throws(Diagnostic) -> Inputs {
    let type = TensorType.f32(batch, height, width, channels)
    let latents = g.parameter("latents", type)
    let noise = g.parameter("noise", type)
    let signal = g.parameter("signal", .f32(batch, 1, 1, 1))
    let level = g.parameter("level", .f32(batch, 1, 1, 1))
    let timestep = g.parameter("timestep", .f32(batch))
    let weight = g.parameter("loss_weight", .f32(batch))
    let noisy = try g.add(try g.mul(latents, signal), try g.mul(noise, level), name: "noisy")
    var target = noise
    if predictsVelocity {
      target = try g.sub(try g.mul(noise, signal), try g.mul(latents, level), name: "velocity")
    }
    return Inputs(noisy: noisy, target: target, timestep: timestep, weight: weight)
  }

  /// Appends the loss of a prediction `[b,h,w,c]`: `[1]`, and the errors `[b]`.
  func loss(
    _ prediction: ValueID, _ inputs: Inputs, in g: inout Graph
  ) throws(Diagnostic) -> (loss: ValueID, errors: ValueID) {
    let error = try g.sub(prediction, inputs.target)
    let squares = try g.reduceSum(try g.mul(error, error), axes: [1, 2, 3])
    let share = 1 / Double(g.type(prediction).shape.dropFirst().reduce(1, *))
    let errors = try g.mul(try g.reshape(squares, to: [batch]), try g.constant(share, .f32(1)))
    return (try g.reduceSum(try g.mul(errors, inputs.weight), axes: [0]), errors)
  }
}
