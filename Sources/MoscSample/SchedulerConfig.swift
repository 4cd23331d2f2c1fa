import Foundation
import MoscFormats

/// The settings of a diffusers `scheduler_config.json` that change what a scheduler computes.
package struct SchedulerConfig: Hashable, Sendable {
  /// How betas run from start to end.
  package enum BetaSchedule: String, CaseIterable, Sendable {
    case linear
    case scaledLinear = "scaled_linear"
  }

  /// What the model predicts.
  package enum Prediction: String, CaseIterable, Sendable {
    case epsilon
    case velocity = "v_prediction"
    case sample
  }

  /// How timesteps are placed. Source: Lin et al. 2023, table 2.
  package enum Spacing: String, CaseIterable, Sendable {
    case linspace, leading, trailing
  }

  package var trainSteps = 1000
  package var betaStart = 0.00085
  package var betaEnd = 0.012
  package var betaSchedule = BetaSchedule.scaledLinear
  package var prediction = Prediction.epsilon
  /// Nil means the default of the scheduler's class.
  package var spacing: Spacing?
  package var stepsOffset = 0
  package var setAlphaToOne: Bool?
  package var skipPrkSteps = false
  package var rescaleBetasZeroSNR = false
  package var usesKarrasSigmas = false
  package var solverOrder = 2
  /// `midpoint` or `heun`.
  package var solverType = "midpoint"
  package var lowerOrderFinal = true
  package var eulerAtFinal = false
  /// `zero` or `sigma_min`.
  package var finalSigmas = "zero"

  package init() {}

  /// Reads the fields of a configuration object; absent ones keep their defaults.
  package init(_ object: JSONObject) throws(FormatError) {
    func choice<T: RawRepresentable & CaseIterable>(
      _ key: String, _ fallback: T
    ) throws(FormatError) -> T where T.RawValue == String {
      let name = try object.string(key, default: fallback.rawValue)
      guard let value = T(rawValue: name) else {
        let known = T.allCases.map(\.rawValue).joined(separator: ", ")
        throw object.error(key, "expected one of \(known), found \"\(name)\"")
      }
      return value
    }
    trainSteps = try object.int("num_train_timesteps", default: 1000)
    betaStart = try object.double("beta_start", default: 0.0001)
    betaEnd = try object.double("beta_end", default: 0.02)
    betaSchedule = try choice("beta_schedule", .linear)
    prediction = try choice("prediction_type", .epsilon)
    if object["timestep_spacing"] != nil {
      spacing = try choice("timestep_spacing", Spacing.leading)
    }
    stepsOffset = try object.int("steps_offset", default: 0)
    if object["set_alpha_to_one"] != nil { setAlphaToOne = try object.bool("set_alpha_to_one") }
    skipPrkSteps = try object.bool("skip_prk_steps", default: false)
    rescaleBetasZeroSNR = try object.bool("rescale_betas_zero_snr", default: false)
    usesKarrasSigmas = try object.bool("use_karras_sigmas", default: false)
    solverOrder = try object.int("solver_order", default: 2)
    solverType = try object.string("solver_type", default: "midpoint")
    lowerOrderFinal = try object.bool("lower_order_final", default: true)
    eulerAtFinal = try object.bool("euler_at_final", default: false)
    finalSigmas = try object.string("final_sigmas_type", default: "zero")
    guard trainSteps >= 2 else {
      throw object.error("num_train_timesteps", "expected at least 2, found \(trainSteps)")
    }
    guard (1...3).contains(solverOrder) else {
      throw object.error("solver_order", "expected 1, 2 or 3, found \(solverOrder)")
    }
    guard ["midpoint", "heun"].contains(solverType) else {
      // Other solvers' names occur in configurations of other scheduler classes.
      solverType = "midpoint"
      return
    }
    guard ["zero", "sigma_min"].contains(finalSigmas) else {
      throw object.error(
        "final_sigmas_type", "expected zero or sigma_min, found \"\(finalSigmas)\"")
    }
  }

  /// `ᾱ_t = Π (1 − β_s)`: betas in f32 as torch's linspace makes them, product in f64, stored f32.
  package var alphasCumprod: [Float] {
    let isScaled = betaSchedule == .scaledLinear
    let start = Float(isScaled ? betaStart.squareRoot() : betaStart)
    let end = Float(isScaled ? betaEnd.squareRoot() : betaEnd)
    let step = (end - start) / Float(trainSteps - 1)
    var betas = (0..<trainSteps).map { i in
      // torch counts from the nearer end.
      let x = i < trainSteps / 2 ? start + step * Float(i) : end - step * Float(trainSteps - 1 - i)
      return isScaled ? x * x : x
    }
    if rescaleBetasZeroSNR { betas = Self.rescaled(betas) }
    var product = 1.0
    return betas.map { beta in
      product *= Double(1 - beta)
      return Float(product)
    }
  }

  /// Shifts and scales `√ᾱ` so that it ends at zero. Source: Lin et al. 2023, algorithm 1.
  private static func rescaled(_ betas: [Float]) -> [Float] {
    var product = 1.0
    let roots = betas.map { beta -> Float in
      product *= Double(1 - beta)
      return Float(product).squareRoot()
    }
    guard let first = roots.first, let last = roots.last else { return betas }
    let bars = roots.map { root -> Float in
      let shifted = (root - last) * (first / (first - last))
      return shifted * shifted
    }
    return bars.indices.map { i in 1 - (i == 0 ? bars[0] : bars[i] / bars[i - 1]) }
  }

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
      return (0..<count).map { Double((count - 1 - $0) * ratio + stepsOffset) }
    case .trailing:
      let ratio = n / Double(count)
      return (0..<count).map { (n - Double($0) * ratio).rounded(.toNearestOrEven) - 1 }
    }
  }
}
