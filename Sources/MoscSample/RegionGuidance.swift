import MoscDiffusion
import MoscFormats
import MoscRandom

/// Guidance that differs from place to place: at a latent pixel the mean of the regions' strengths by their
/// shares.
struct RegionGuidance {
  private let plan: SamplePlan

  /// nil where all of the picture has one strength.
  init?(_ plan: SamplePlan) {
    guard plan.regions.contains(where: { $0.guidance != nil }) else { return nil }
    self.plan = plan
  }

  /// `u + g(p) · Σ_i w_i (c_i − u)`, everything `[n,h,w,c]`.
  func combine(
    _ unconditional: [Float], _ parts: [(prediction: [Float], weight: Double)], step: Int
  ) -> [Float] {
    let scales = scales(step)
    let channels = plan.latentChannels
    return unconditional.indices.map { index in
      let (u, scale) = (unconditional[index], scales[index / channels % scales.count])
      return parts.reduce(u) { $0 + scale * Float($1.weight) * ($1.prediction[index] - u) }
    }
  }

  /// The strength at every latent pixel.
  private func scales(_ step: Int) -> [Float] {
    let active = plan.regions.map { $0.acts(step: step, of: plan.calls) }
    let coverage = RegionSchedule.coverage(plan, active, plan.latentHeight, plan.latentWidth)
    let strengths = [plan.guidance] + plan.regions.map { $0.guidance ?? plan.guidance }
    let cells = plan.latentHeight * plan.latentWidth
    return (0..<cells).map { cell in
      strengths.indices.reduce(Float(0)) { $0 + Float(strengths[$1]) * coverage.shares[$1 * cells + cell] }
    }
  }
}

/// Initial noise that has seeds of its own in some regions: `x(p) = Σ_r s_r(p) x_r(p) / √Σ_r s_r(p)²`, which is
/// unit noise everywhere.
struct RegionNoise {
  private let plan: SamplePlan

  /// nil where all of the picture has one seed.
  init?(_ plan: SamplePlan) {
    guard plan.regions.contains(where: { $0.seed != nil }) else { return nil }
    self.plan = plan
  }

  /// The noise of some pictures `[n,h,w,c]` with that of the regions.
  func mixed(into noise: HostArray) -> HostArray {
    let (h, w, c) = (plan.latentHeight, plan.latentWidth, plan.latentChannels)
    let cells = h * w
    let active = [Bool](repeating: true, count: plan.regions.count)
    let shares = RegionSchedule.coverage(plan, active, h, w).shares
    let parts = plan.regions.map { region in
      region.seed.map { seed in
        var source = plan.request.randomSource.source(seed: seed)
        return HostArray(source.normals(c * cells), shape: [1, c, h, w]).channelsLast.floats
      }
    }
    var values = noise.floats
    for index in values.indices {
      let (cell, place) = (index / c % cells, index % (cells * c))
      var (sum, squares): (Float, Float) = (0, 0)
      // Regions without a seed share the picture's noise.
      var own = shares[cell]
      for (region, part) in parts.enumerated() {
        let share = shares[(region + 1) * cells + cell]
        guard let part else {
          own += share
          continue
        }
        sum += share * part[place]
        squares += share * share
      }
      values[index] = (sum + own * values[index]) / (squares + own * own).squareRoot()
    }
    return HostArray(values, shape: noise.shape)
  }
}
