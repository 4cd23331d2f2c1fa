import MoscFormats

extension SchedulerConfig {
  /// Reads the fields of a configuration object; absent ones keep the defaults of diffusers.
  ///
  /// Classes give some keys values of their own, so those of one kind of sampler are judged when such a
  /// sampler is asked for, see `check(for:)`.
  /// - Throws: `FormatError` for a value of what all samplers read that is not known or not supported.
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
    rescaleBetasZeroSNR = try object.bool("rescale_betas_zero_snr", default: false)
    let multistep: Set<SamplerName> = [.dpmpp2M, .dpmpp2MSDE, .uniPC, .deis]
    let ladders: Set<SamplerName> = [
      .euler, .eulerAncestral, .heun, .lms, .dpm2, .dpm2Ancestral, .dpmppSDE,
    ]
    read([.ddim, .pndm, .lcm, .tcd]) { (config) throws(FormatError) in
      if object["set_alpha_to_one"] != nil {
        config.setAlphaToOne = try object.bool("set_alpha_to_one")
      }
    }
    read([.pndm]) { (config) throws(FormatError) in
      config.skipPrkSteps = try object.bool("skip_prk_steps", default: false)
    }
    read(multistep.union(ladders)) { (config) throws(FormatError) in
      if try object.bool("use_exponential_sigmas", default: false) { config.levels = .exponential }
      if try object.bool("use_karras_sigmas", default: false) { config.levels = .karras }
    }
    read(multistep) { (config) throws(FormatError) in
      config.solverOrder = try object.int("solver_order", default: 2)
      try object.demand("solver_order", config.solverOrder, 1...3)
      config.lowerOrderFinal = try object.bool("lower_order_final", default: true)
    }
    read(multistep.subtracting([.deis])) { (config) throws(FormatError) in
      if object["solver_type"] != nil {
        config.solverType = try choice("solver_type", SolverType.midpoint)
      }
    }
    read([.dpmpp2M, .dpmpp2MSDE]) { (config) throws(FormatError) in
      // The solver of DEIS has another name for the same default, and diffusers reads it so.
      if object["algorithm_type"]?.string != "deis" {
        config.algorithm = try choice("algorithm_type", .ordinary)
      }
      config.eulerAtFinal = try object.bool("euler_at_final", default: false)
    }
    read(multistep.subtracting([.deis]).union([.euler])) { (config) throws(FormatError) in
      config.finalLevel = try choice("final_sigmas_type", .zero)
    }
    read([.ddpm]) { (config) throws(FormatError) in
      if object["variance_type"] != nil { config.variance = try choice("variance_type", .small) }
    }
    let count = trainSteps
    read([.lcm, .tcd]) { (config) throws(FormatError) in
      config.originalInferenceSteps = try object.int("original_inference_steps", default: 50)
      try object.demand(
        "original_inference_steps", config.originalInferenceSteps, 1...max(50, count))
      config.timestepScaling = try object.double("timestep_scaling", default: 10)
    }
    for (key, readers) in [
      ("thresholding", multistep.union([.ddim, .ddpm, .lcm, .tcd])),
      ("use_beta_sigmas", multistep.union(ladders)), ("use_lu_lambdas", [.dpmpp2M, .dpmpp2MSDE]),
      ("use_flow_sigmas", multistep),
    ] {
      read(readers) { (_) throws(FormatError) in
        if try object.bool(key, default: false) {
          throw object.error(key, "expected false, found true: this is not supported")
        }
      }
    }
    try readTrainedBetas(object)
    try check(object)
  }

  /// Reads what only some samplers read; what is wrong is kept for them.
  private mutating func read(
    _ readers: Set<SamplerName>, _ body: (inout SchedulerConfig) throws(FormatError) -> Void
  ) {
    do throws(FormatError) {
      try body(&self)
    } catch {
      refusals.append(Refusal(readers: readers, error: error))
    }
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
    try object.demand("num_train_timesteps", trainSteps, 2...1_000_000)
    try object.demand("steps_offset", stepsOffset, 0...trainSteps - 1)
    guard 0 <= betaStart, betaStart <= betaEnd, betaEnd < 1 else {
      throw object.error(
        "beta_end", "expected 0 ≤ beta_start ≤ beta_end < 1, found \(betaStart) and \(betaEnd)")
    }
  }
}

extension JSONObject {
  /// Refuses a number outside of a range.
  fileprivate func demand(
    _ key: String, _ value: Int, _ range: ClosedRange<Int>
  ) throws(FormatError) {
    guard range ~= value else {
      throw error(key, "expected \(range.lowerBound) to \(range.upperBound), found \(value)")
    }
  }
}
