import MoscFormats

/// The settings of a diffusers `scheduler_config.json` that change what a scheduler computes.
///
/// Clipping of the predicted data is left out: it is for pixels, and the Stable Diffusion pipeline
/// turns it off whatever the file says.
package struct SchedulerConfig: Hashable, Sendable {
  /// What the model predicts.
  package enum Prediction: String, CaseIterable, Codable, Sendable {
    case epsilon
    case velocity = "v_prediction"
    case sample
  }

  /// How timesteps are placed. Source: Lin et al. 2023, table 2.
  package enum Spacing: String, CaseIterable, Codable, Sendable {
    case linspace, leading, trailing
  }

  /// How noise levels are placed, for schedulers that work on them.
  package enum Levels: String, CaseIterable, Codable, Sendable {
    /// Those of the timesteps.
    case timesteps = "discrete"
    /// Even in `σ^(1/7)`.
    case karras
    /// Even in `log σ`.
    case exponential
    /// A polynomial in `log σ` over the whole table.
    case polyexponential
    /// Those of the timesteps from the last to the first, evenly.
    case normal
    /// The same, going on to below the first timestep.
    case sgmUniform = "sgm_uniform"
    /// Entries of the table, evenly from the last.
    case simple
    /// Entries of the table, evenly from the second.
    case ddim = "ddim_uniform"
    /// Dense at both ends.
    case beta
    /// Even in `arctan σ`.
    case klOptimal = "kl_optimal"
    /// Optimised for Stable Diffusion 1.5.
    case alignYourSteps = "align_your_steps"
  }

  /// Variants of the multistep solvers; each takes the ones it knows, else its default.
  package enum SolverType: String, CaseIterable, Sendable {
    case midpoint, heun, logrho, bh1, bh2
  }

  /// The equation that DPM-Solver++ solves.
  package enum Algorithm: String, CaseIterable, Sendable {
    case ordinary = "dpmsolver++"
    case stochastic = "sde-dpmsolver++"
  }

  /// Where the levels of a multistep solver end.
  package enum FinalLevel: String, CaseIterable, Sendable {
    case zero
    case smallest = "sigma_min"
  }

  /// The variance of DDPM's noise.
  package enum Variance: String, CaseIterable, Sendable {
    case small = "fixed_small"
    case large = "fixed_large"
  }

  package var trainSteps = 1000
  package var betaStart = 0.00085
  package var betaEnd = 0.012
  package var betaSchedule = BetaSchedule.scaledLinear
  /// Betas that replace the schedule.
  package var trainedBetas: [Float]?
  package var prediction = Prediction.epsilon
  /// Nil means the default of the scheduler's class.
  package var spacing: Spacing?
  package var stepsOffset = 0
  package var setAlphaToOne: Bool?
  package var skipPrkSteps = false
  package var rescaleBetasZeroSNR = false
  package var levels = Levels.timesteps
  /// Falling noise levels above zero, one per step, in place of any spacing.
  package var sigmas: [Double]?
  package var solverOrder = 2
  package var solverType: SolverType?
  package var algorithm = Algorithm.ordinary
  package var lowerOrderFinal = true
  package var eulerAtFinal = false
  package var finalLevel = FinalLevel.zero
  package var variance = Variance.small
  /// The steps of the grid that a consistency model was distilled on.
  package var originalInferenceSteps = 50
  package var timestepScaling = 10.0
  /// Values that some samplers could not honour; others never read them.
  var refusals: [Refusal] = []
  /// Ends DPM-Solver++ at timestep 0 as diffusers before 0.22 did; no file says so.
  package var endsAtTimestepZero = false

  /// A value that samplers cannot honour.
  struct Refusal: Hashable, Sendable {
    var readers: Set<SamplerName>
    var error: FormatError
  }

  package init() {}

  /// Checks that a sampler honours every value that it reads.
  ///
  /// - Throws: the first that it does not.
  package func check(for sampler: SamplerName) throws(FormatError) {
    if let refusal = refusals.first(where: { $0.readers.contains(sampler) }) { throw refusal.error }
  }

  /// How many steps there may be: no two at one noise level.
  package var stepRange: ClosedRange<Int> { 1...max(1, trainSteps) }

  /// The timesteps of `count` steps under a spacing, largest first, before rounding to integers
  /// where a class does not round (linspace).
  func timesteps(_ count: Int, _ spacing: Spacing) -> [Double] {
    let n = Double(trainSteps)
    switch spacing {
    case .linspace:
      let last = Double(trainSteps - 1)
      return (0..<count).map { i in
        let j = count - 1 - i
        return count == 1 ? 0 : Double(j) * (last / Double(count - 1))
      }
    case .leading:
      let ratio = trainSteps / count
      return (0..<count).map { Double(min((count - 1 - $0) * ratio + stepsOffset, trainSteps - 1)) }
    case .trailing:
      let ratio = n / Double(count)
      return (0..<count).map { (n - Double($0) * ratio).rounded(.toNearestOrEven) - 1 }
    }
  }

  /// The timesteps of the multistep solvers, whose last step leads on to the end of the grid.
  func multistepTimesteps(_ count: Int) -> [Double] {
    switch spacing ?? .linspace {
    case .linspace:
      let step = Double(trainSteps - 1) / Double(count)
      return (0..<count).map { (Double(count - $0) * step).rounded(.toNearestOrEven) }
    case .leading:
      let ratio = trainSteps / (count + 1)
      return (0..<count).map { Double(min((count - $0) * ratio + stepsOffset, trainSteps - 1)) }
    case .trailing: return timesteps(count, .trailing)
    }
  }
}
