import MoscFormats

extension SchedulerConfig {
  /// Reads the fields of a configuration object; absent ones keep the defaults of diffusers.
  ///
  /// - Throws: `FormatError` for a value that is not known, or that asks for something not
  ///   supported and would change the picture.
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
    self.init()
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
    if try object.bool("use_exponential_sigmas", default: false) { levels = .exponential }
    if try object.bool("use_karras_sigmas", default: false) { levels = .karras }
    solverOrder = try object.int("solver_order", default: 2)
    if object["solver_type"] != nil { solverType = try choice("solver_type", SolverType.midpoint) }
    algorithm = try choice("algorithm_type", .ordinary)
    lowerOrderFinal = try object.bool("lower_order_final", default: true)
    eulerAtFinal = try object.bool("euler_at_final", default: false)
    finalLevel = try choice("final_sigmas_type", .zero)
    // Other classes give this key meanings of their own.
    variance = Variance(rawValue: object["variance_type"]?.string ?? "") ?? .small
    originalInferenceSteps = try object.int("original_inference_steps", default: 50)
    timestepScaling = try object.double("timestep_scaling", default: 10)
    try readTrainedBetas(object)
    try check(object)
  }

  private mutating func readTrainedBetas(_ object: JSONObject) throws(FormatError) {
    guard let list = object["trained_betas"] else { return }
    let values = list.array?.compactMap(\.double) ?? []
    guard values.count == list.array?.count, values.allSatisfy({ 0...1 ~= $0 }) else {
      throw object.error("trained_betas", "expected a list of numbers from 0 to 1")
    }
    trainedBetas = values.map(Float.init)
    trainSteps = values.count
  }

  private func check(_ object: JSONObject) throws(FormatError) {
    func demand(_ key: String, _ value: Int, _ range: ClosedRange<Int>) throws(FormatError) {
      guard range ~= value else {
        throw object.error(
          key, "expected \(range.lowerBound) to \(range.upperBound), found \(value)")
      }
    }
    try demand("num_train_timesteps", trainSteps, 2...1_000_000)
    try demand("solver_order", solverOrder, 1...3)
    try demand("steps_offset", stepsOffset, 0...trainSteps - 1)
    try demand("original_inference_steps", originalInferenceSteps, 1...max(50, trainSteps))
    guard 0 <= betaStart, betaStart <= betaEnd, betaEnd < 1 else {
      throw object.error(
        "beta_end", "expected 0 ≤ beta_start ≤ beta_end < 1, found \(betaStart) and \(betaEnd)")
    }
    for key in ["thresholding", "use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas"] {
      if try object.bool(key, default: false) {
        throw object.error(key, "expected false, found true: this is not supported")
      }
    }
  }
}
