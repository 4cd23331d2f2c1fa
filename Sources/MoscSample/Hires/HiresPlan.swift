import MoscDiffusion
import MoscReport

extension SamplePlan {
  /// The second pass of the pictures: the same in a larger size, with other steps; nil for a request without.
  ///
  /// Regions keep their share of the picture. Changes of prompts count from the beginning of the first pass, as in
  /// the web UI.
  package func secondPass() throws -> SamplePlan? {
    let hires = request.hires
    guard hires.isOn else { return nil }
    var plan = self
    let size = try hires.sizes(width: width, height: height, factor: factor).kept
    (plan.width, plan.height) = size
    plan.request.hires.isOn = false
    let steps = hires.steps(first: request.steps)
    plan.request.steps = steps.all
    if let obstacle = sampler.obstacle(schedulerConfig, steps: steps.all) {
      throw CommandError.usage("--hires-steps \(steps.all - steps.leftOut): \(obstacle)")
    }
    let scheduler = sampler.scheduler(schedulerConfig, steps: steps.all, eta: request.eta)
    plan.calls = scheduler.calls(leavingOut: steps.leftOut)
    plan.scripts = try Self.scripts(
      request, calls: scheduler.timesteps.count, batches, usesGuidance: usesGuidance,
      secondPass: steps)
    return plan
  }
}
